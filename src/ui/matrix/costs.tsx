/** What a round trip costs on each kernel, in MSR writes. */
import { get, post } from '../api/client.js';
import { curl } from '../frame/header-content.js';
import { useLoaded } from '../load.js';
import { CopyButton } from '../widgets/copy.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { Waiting } from '../widgets/waiting.js';

const CPU_MODEL = 'emerald-rapids';
/** Host PEBS that guests must not see, and guest PEBS: the two that the cover letter counts. */
const CASES = ['Bc', 'C'] as const;
const KERNELS_MAX = 64;

/** MSR writes of a round trip with host PEBS, by kernel, on CPUs with isolation and guest PEBS. */
export function useCosts(kernels: readonly string[]): ReadonlyMap<string, number> {
  const { value } = useLoaded(kernels.join(' ') || undefined, async (signal) => {
    const { rows } = await post('/v1/comparisons', { body: bodyOf(kernels, ['Bc']), signal });
    return new Map(rows.map(({ kernel, per_round_trip }) => [kernel, per_round_trip.msr_writes]));
  });
  return value ?? new Map();
}

function bodyOf(kernels: readonly string[], scenarios: ('Bc' | 'C')[]) {
  return { kernels: kernels.slice(0, KERNELS_MAX), cpu_models: [CPU_MODEL], scenarios };
}

export function Costs() {
  const { value, problem, reload } = useLoaded('costs', async (signal) => {
    const { items } = await get('/v1/kernels', { query: { limit: KERNELS_MAX }, signal });
    const body = bodyOf(
      items.map(({ id }) => id),
      [...CASES],
    );
    return { body, ...(await post('/v1/comparisons', { body, signal })) };
  });
  if (problem !== undefined) return <ProblemPanel problem={problem} retry={reload} />;
  if (value === undefined) return <Waiting what="The costs are being counted" lines={10} />;
  const kernels = [...new Set(value.rows.map(({ kernel }) => kernel))];
  return (
    <>
      <p>
        MSR writes of one VM-entry and VM-exit on {CPU_MODEL}, once the host and the vCPU are set
        up. “Host” profiles the host with PEBS (case Bc), “guest” runs PEBS in the guest (case C).
      </p>
      <table class="costs">
        <thead>
          <tr>
            <th scope="col">Kernel</th>
            <th scope="col">Host</th>
            <th scope="col">Guest</th>
            <th scope="col">of these WRMSR</th>
            <th scope="col">Cycles, about</th>
          </tr>
        </thead>
        <tbody>
          {kernels.map((kernel) => {
            const [host, guest] = CASES.map((scenario) =>
              value.rows.find((row) => row.kernel === kernel && row.scenario === scenario),
            );
            return (
              <tr key={kernel}>
                <th scope="row">{kernel}</th>
                <td>
                  <Bar writes={host?.per_round_trip.msr_writes ?? 0} />
                </td>
                <td>
                  <Bar writes={guest?.per_round_trip.msr_writes ?? 0} />
                </td>
                <td class="number">
                  {host?.per_round_trip.kvm_wrmsr} / {guest?.per_round_trip.kvm_wrmsr}
                </td>
                <td class="number">
                  {host?.estimated_cycles} / {guest?.estimated_cycles}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <div class="row">
        <CopyButton text={curl('/v1/comparisons', value.body)} label="Copy as curl" />
      </div>
    </>
  );
}

/** A number and as many squares. */
function Bar({ writes }: { readonly writes: number }) {
  return (
    <span class="writes">
      <span class="number">{writes}</span> <span aria-hidden="true">{'▪'.repeat(writes)}</span>
    </span>
  );
}
