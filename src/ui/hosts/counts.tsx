/** What a round trip costs on average, and how often everything happened. */
import type { Api } from '../api/client.js';
import { whole } from '../widgets/numbers.js';

const VIAS = {
  kvm_wrmsr: 'WRMSR by KVM',
  perf_wrmsr: 'WRMSR by perf',
  vm_entry_load: 'loads at VM-entry',
  vm_exit_load: 'loads at VM-exit',
  vmcs_field: 'VMCS fields',
} as const;

export function Counts({ metrics }: { readonly metrics: Api['HostMetrics'] }) {
  const { per_round_trip: average, round_trips, nmis, throttles } = metrics;
  const totals = [
    ['round trips', round_trips],
    ['NMIs', nmis],
    ['throttles', throttles],
  ] as const;
  return (
    <section class="panel" aria-labelledby="counts">
      <header>
        <h2 id="counts">Counts</h2>
        <span class="number">
          {totals.map(([what, count]) => `${what} ${whole(count)}`).join(' · ')}
        </span>
      </header>
      {round_trips === 0 ? (
        <p class="inside muted">There is no average before the first round trip.</p>
      ) : (
        <dl class="inside averages">
          {Object.entries(VIAS).map(([via, what]) => (
            <div key={via}>
              <dt>{what}</dt>
              <dd>{rounded(average[via as keyof typeof VIAS])}</dd>
            </div>
          ))}
          <div>
            <dt>cycles a round trip, about</dt>
            <dd>{rounded(average.estimated_cycles)}</dd>
          </div>
        </dl>
      )}
    </section>
  );
}

function rounded(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 2 });
}
