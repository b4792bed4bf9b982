/**
 * A host as a resource. Its changing fields are also stored outside the image, so that a list of a
 * thousand hosts unpacks none of them.
 */
import type { Host as HostItem } from '../../../schemas/host.js';
import { platformClass } from '../../pmu/arch/cpu-model.js';
import { capsOf } from '../../pmu/kernels/pmu-support.js';
import { CLOSED } from '../../pmu/perf/perf-event.js';
import type { ListedHost } from '../../store/host-store.js';
import { formatU64 } from '../wire.js';
import type { Host } from './host.js';
import { type ConfigImage, hostConfig, partsOf } from './host-image.js';
import { placesIn } from './host-records.js';

type HostSummary = Pick<HostItem, 'microcode' | 'isolation' | 'events' | 'vcpus' | 'micro_steps'>;

export function hostSummary({ microcode, state, vcpus, tally }: Host): HostSummary {
  return {
    microcode: formatU64(microcode),
    isolation: state.noIsolation === 0,
    events: state.events.filter((event) => event.status !== CLOSED).length,
    vcpus: placesIn(vcpus).length,
    micro_steps: tally.microSteps,
  };
}

export function hostItem(host: Host): HostItem {
  return item(host.id, hostConfig(host), hostSummary(host), host.createdAt);
}

export function listedItem({ id, config, summary, createdAt }: ListedHost): HostItem {
  const kept = JSON.parse(summary) as HostSummary;
  return item(id, config as ConfigImage, kept, createdAt.toISOString());
}

function item(id: string, config: ConfigImage, summary: HostSummary, created_at: string): HostItem {
  const { kernel, model } = partsOf(id, config);
  return {
    id,
    ...config,
    ...summary,
    platform_class: platformClass(capsOf(kernel, model), summary.isolation),
    created_at,
  };
}
