/** A simulated host as the API gives it, read anew after every act and whenever somebody else has changed it. */
import { useEffect } from 'preact/hooks';
import { type Api, get } from '../api/client.js';
import { type Loaded, useLoaded } from '../load.js';

export type Host = Api['Host'];
export type Vcpu = Api['Vcpu'];
export type PerfEvent = Api['PerfEvent'];

export interface Lab {
  readonly host: Host;
  readonly events: readonly PerfEvent[];
  readonly vcpus: readonly Vcpu[];
  readonly cpus: readonly Api['Msrs'][];
  readonly metrics: Api['HostMetrics'];
  readonly trace: Api['TracePage'];
  readonly microSteps: readonly Api['MicroStep'][];
}

const STEPS_SHOWN = 1000;
const ALL = { limit: 100 };
/** What happens on a host is no event, so it is asked whether it has moved. */
const POLL_MILLIS = 3000;

let microSteps: Promise<Api['MicroStepPage']> | undefined;

async function readLab(id: string, signal: AbortSignal): Promise<Lab> {
  const path = { host: id };
  microSteps ??= get('/v1/micro-steps', { query: ALL }).catch((error: unknown) => {
    microSteps = undefined;
    throw error;
  });
  const host = await get('/v1/hosts/{host}', { path, signal });
  const [events, vcpus, metrics, trace, steps, ...cpus] = await Promise.all([
    get('/v1/hosts/{host}/perf-events', { path, query: ALL, signal }),
    get('/v1/hosts/{host}/vcpus', { path, query: ALL, signal }),
    get('/v1/hosts/{host}/metrics', { path, signal }),
    get('/v1/hosts/{host}/trace', { path, query: { limit: STEPS_SHOWN }, signal }),
    microSteps,
    ...Array.from({ length: host.cpus }, (_, cpu) =>
      get('/v1/hosts/{host}/msrs', { path, query: { cpu }, signal }),
    ),
  ]);
  return {
    host,
    events: events.items,
    vcpus: vcpus.items,
    cpus,
    metrics,
    trace,
    microSteps: steps.items,
  };
}

export function useLab(id: string): Loaded<Lab> {
  const lab = useLoaded(id, (signal) => readLab(id, signal), {
    changes: ({ subject }) => subject === id,
  });
  const known = lab.value === undefined ? undefined : markOf(lab.value.host);
  useEffect(() => {
    if (known === undefined) return undefined;
    const timer = setInterval(() => {
      if (document.visibilityState === 'hidden') return;
      get('/v1/hosts/{host}', { path: { host: id } }).then(
        (host) => markOf(host) !== known && lab.reload(),
        () => undefined,
      );
    }, POLL_MILLIS);
    return () => clearInterval(timer);
  }, [id, known]);
  return lab;
}

/** Changes with whatever happens on a host. */
function markOf({ micro_steps, events, vcpus }: Host): string {
  return `${micro_steps} ${events} ${vcpus}`;
}
