/** What a world takes for granted: the same world with one thing less, for everything that can be left out. */
import type { EventSpec, WorldSpec } from './world-spec.js';

export interface Smaller {
  /** What is left out. */
  readonly assumption: string;
  readonly model: WorldSpec;
}

/** The world without late NMIs, without one actor, event or vCPU. */
export function withoutEach(model: WorldSpec): Smaller[] {
  const { actors = [], events = [], vcpus = [] } = model;
  const leads = (at: number): boolean =>
    events.some((event) => event.group_leader === (events[at]?.name ?? `e${at}`));
  return [
    ...(model.nmi_timing === 'late'
      ? [{ assumption: 'late NMIs', model: { ...model, nmi_timing: 'prompt' as const } }]
      : []),
    ...(model.nmi_in_e3 === false
      ? []
      : [
          {
            assumption: 'NMIs between the load and the WRMSR of e3',
            model: { ...model, nmi_in_e3: false },
          },
        ]),
    ...actors.map((actor) => ({
      assumption: `the actor ${actor.kind}`,
      model: { ...model, actors: actors.filter((other) => other !== actor) },
    })),
    ...events.flatMap((event, at) =>
      leads(at)
        ? []
        : [
            {
              assumption: `the event ${event.name ?? `e${at}`}`,
              model: { ...model, events: named(events).filter((_, nth) => nth !== at) },
            },
          ],
    ),
    ...vcpus.map((vcpu, at) => ({
      assumption: `the vCPU ${vcpu.name ?? `v${at}`}`,
      model: { ...model, vcpus: vcpus.filter((_, nth) => nth !== at) },
    })),
  ];
}

/** Events keep the names they had before one of them is left out. */
function named(events: readonly EventSpec[]): EventSpec[] {
  return events.map((event, at) => ({ name: `e${at}`, ...event }));
}
