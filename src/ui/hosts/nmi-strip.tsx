/** The micro-steps of a round trip: a click on one runs the vCPU, with an NMI that lands right after it. */
import { useSignal } from '@preact/signals';
import { type Api, post } from '../api/client.js';
import type { Doing } from './host.js';
import type { Lab } from './lab.js';

type Nmi = Api['Nmi'];

/** Only on the way of what is special: an entry that fails, or an exit that is none of the usual. */
const OF_A_ROUND_TRIP = /^(k|v\d|guest$)/;

interface Props {
  readonly lab: Lab;
  readonly doing: Doing;
}

/** What an NMI on a CPU may be about: nothing of perf's, or a counter that is in use. */
export function nmisOf({ events }: Lab, cpu: number): { label: string; nmi: Nmi }[] {
  const counters = events.flatMap((event) =>
    event.cpu === cpu && event.counter !== null && event.state === 'active' ? [event.counter] : [],
  );
  return [
    ...counters.map((counter) => ({ label: `${counter} throttles`, nmi: { throttle: [counter] } })),
    ...counters.map((counter) => ({ label: `${counter} overflows`, nmi: { overflow: [counter] } })),
    { label: 'foreign NMI', nmi: {} },
  ];
}

export function NmiStrip({ lab, doing }: Props) {
  const chosen = useSignal(0);
  const about = useSignal(0);
  const vcpu = lab.vcpus[chosen.value] ?? lab.vcpus[0]!;
  const nmis = nmisOf(lab, vcpu.cpu);
  const { nmi } = nmis[about.value] ?? nmis.at(-1)!;
  const path = { host: lab.host.id, vcpu: vcpu.id };
  const inject = (at: string) => () =>
    doing(() =>
      post('/v1/hosts/{host}/vcpus/{vcpu}/transitions', {
        path,
        body: { kind: 'round_trip', inject: [{ at, nmi }] },
      }),
    );
  return (
    <section class="panel" aria-labelledby="strip">
      <header>
        <h2 id="strip">A round trip with an NMI after …</h2>
        <div class="row">
          {lab.vcpus.length > 1 && (
            <select
              aria-label="vCPU"
              value={String(chosen.value)}
              onChange={({ currentTarget }) => (chosen.value = Number(currentTarget.value))}
            >
              {lab.vcpus.map(({ id, name }, at) => (
                <option key={id} value={at}>
                  {name ?? id}
                </option>
              ))}
            </select>
          )}
          <select
            aria-label="What the NMI is"
            value={String(about.value)}
            onChange={({ currentTarget }) => (about.value = Number(currentTarget.value))}
          >
            {nmis.map(({ label }, at) => (
              <option key={label} value={at}>
                {label}
              </option>
            ))}
          </select>
        </div>
      </header>
      <div class="inside strip">
        {lab.microSteps
          .filter(({ id }) => OF_A_ROUND_TRIP.test(id))
          .map(({ id, statement, nmi_may_land_after }) => (
            <button
              type="button"
              class="small mono"
              key={id}
              title={statement}
              disabled={!nmi_may_land_after}
              aria-current={id === vcpu.position ? 'step' : undefined}
              onClick={inject(id)}
            >
              {id.replace('k5_switch:', 'k5 ')}
            </button>
          ))}
      </div>
    </section>
  );
}
