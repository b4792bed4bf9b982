/** The injections of a request, as the engine takes them. */
import type { Injection as InjectionItem, Nmi } from '../../../schemas/transition.js';
import { COUNTERS } from '../../pmu/arch/counter-set.js';
import * as actions from '../../pmu/machine/actions.js';
import { stepCode } from '../../pmu/machine/micro-step.js';
import type { World } from '../../pmu/machine/world.js';
import type { Injection } from '../../pmu/stepping/injections.js';
import { Refused } from '../../pmu/stepping/refused.js';
import { parseCounters } from '../wire.js';

export function parseInjections(
  { caps }: World,
  items: readonly InjectionItem[] | undefined,
): Injection[] {
  const counters = caps.intelCtrl & COUNTERS;
  return (items ?? []).map((item, at) => {
    const step = stepCode(item.at);
    if (step === undefined || step === 0) {
      throw new Refused('rule', `no micro-step ${item.at} exists`, `/inject/${at}/at`);
    }
    const { nmi, overflow, occurrence } = item;
    const where = nmi === undefined ? `/inject/${at}` : `/inject/${at}/nmi`;
    return {
      step,
      occurrence,
      kind: injectedAction(nmi),
      overflow: parseCounters(nmi?.overflow ?? overflow, counters, `${where}/overflow`),
      throttle: parseCounters(nmi?.throttle, counters, `${where}/throttle`),
    };
  });
}

/** The machine's action for an injection: an NMI, or an overflow whose NMI comes later. */
function injectedAction(nmi: Nmi | undefined): number {
  if (nmi === undefined) {
    return actions.LATCH;
  }
  if (nmi.bpf_snapshot) {
    return actions.SNAPSHOT;
  }
  return nmi.reset ? actions.NMI_RESET : actions.NMI;
}
