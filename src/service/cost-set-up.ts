/** A cost scenario's set-up as a script for a live host, and what is open once the script has run. */
import type { Scenario as ScenarioItem } from '../../schemas/scenario.js';
import type { ScriptAction } from '../../schemas/script.js';
import { counterName } from '../pmu/arch/counter-set.js';
import { msrName } from '../pmu/arch/msr.js';
import type { SetUpStep } from '../pmu/cost-cases/cost-scenarios.js';
import { DEFAULT_SAMPLE_FREQ, type OpenRequest } from '../pmu/perf/open-rules.js';
import { NO_COUNTER } from '../pmu/perf/perf-event.js';
import { formatDataCfg, formatU64 } from './wire.js';

const VCPU = 'guest';
const SAMPLE_PERIOD = 1_000_000;

export function setUpScript(steps: readonly SetUpStep[]): ScriptAction[] {
  return [{ action: 'add_vcpu', name: VCPU }, ...steps.map(actionOf)];
}

function actionOf(step: SetUpStep): ScriptAction {
  switch (step.kind) {
    case 'open':
      return { action: 'open_event', name: step.name, ...attributesOf(step.event) };
    case 'close':
      return { action: 'close_event', event: step.name };
    case 'wrmsr':
      return {
        action: 'wrmsr',
        vcpu: VCPU,
        msr: msrName(step.msr),
        value: formatU64(step.value),
      };
  }
}

/** Those that differ from what the service takes for granted, and how it samples. */
function attributesOf({
  counter,
  preciseIp,
  excludeHost,
  excludeGuest,
  sampling,
  dataCfg,
}: OpenRequest) {
  return {
    ...(counter === NO_COUNTER ? {} : { counter: counterName(counter) }),
    ...(preciseIp === 0 ? {} : { precise_ip: preciseIp }),
    ...(excludeHost ? { exclude_host: true } : {}),
    ...(excludeGuest ? { exclude_guest: true } : {}),
    ...(sampling === 'freq'
      ? { sample_freq: DEFAULT_SAMPLE_FREQ }
      : { sample_period: SAMPLE_PERIOD }),
    ...(dataCfg === null ? {} : { pebs_data_cfg: formatDataCfg(dataCfg) }),
  };
}

/** The events that are still open, and the vCPUs with what their guests have written. */
export function openAfter(script: readonly ScriptAction[]): Pick<ScenarioItem, 'events' | 'vcpus'> {
  const events = new Map<string | undefined, ScenarioItem['events'][number]>();
  const vcpus = new Map<string | undefined, ScenarioItem['vcpus'][number]>();
  for (const action of script) {
    switch (action.action) {
      case 'open_event': {
        const { action: _, ...event } = action;
        events.set(event.name, event);
        break;
      }
      case 'close_event':
        events.delete(action.event);
        break;
      case 'add_vcpu': {
        const { action: _, ...vcpu } = action;
        vcpus.set(vcpu.name, vcpu);
        break;
      }
      case 'wrmsr': {
        const { msr, value, vcpu: name } = action;
        const vcpu = vcpus.get(name);
        vcpus.set(name, { ...vcpu, wrmsr: [...(vcpu?.wrmsr ?? []), { msr, value }] });
      }
    }
  }
  return { events: [...events.values()], vcpus: [...vcpus.values()] };
}
