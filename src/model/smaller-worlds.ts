/** Worlds with less in them: what may act, exist or happen is dropped one by one, and by kind. */
import { exploredWorld } from './explored-world.js';
import { WorldError } from './world-error.js';
import type { ActorSpec, WorldSpec } from './world-spec.js';

/** A world without something; or several, where one of a kind stays and any may be it. */
export interface SmallerWorlds {
  /** What is dropped. */
  readonly assumption: string;
  /** Those that can be set up. One that cannot has nothing that could fail. */
  readonly worlds: readonly WorldSpec[];
}

/** Every way to make a world smaller, those that drop most first. */
export function smallerWorlds(model: WorldSpec): SmallerWorlds[] {
  const world = named(model);
  return [...byKind(world), ...oneByOne(world)].map(({ assumption, worlds }) => ({
    assumption,
    worlds: worlds.filter(canBeSetUp),
  }));
}

/** Events and vCPUs keep the names they have before one of them is left out. */
function named(model: WorldSpec): WorldSpec {
  const { events, vcpus } = model;
  return {
    ...model,
    ...(events && { events: events.map((event, at) => ({ name: `e${at}`, ...event })) }),
    ...(vcpus && { vcpus: vcpus.map((vcpu, at) => ({ name: `v${at}`, ...vcpu })) }),
  };
}

const NMI_ACTORS: ReadonlySet<string> = new Set(['nmi_throttle', 'foreign_nmi', 'nmi_reset']);

/** All of a kind but one. */
function byKind(model: WorldSpec): SmallerWorlds[] {
  const { cpus = 1, actors = [], events = [], vcpus = [] } = model;
  const others = actors.filter(({ kind }) => !NMI_ACTORS.has(kind));
  const nmis = actors.filter(({ kind }) => NMI_ACTORS.has(kind));
  const onFirst = ({ cpu = 0 }: { cpu?: number }): boolean => cpu === 0;
  const oneCpu = {
    cpus: 1,
    actors: actors.filter(({ kind }) => kind !== 'migrate'),
    events: events.filter(onFirst),
    vcpus: vcpus.filter(onFirst),
  };
  const once = ({ kind }: ActorSpec): ActorSpec => ({ kind, budget: 1 });
  const isOften = ({ budget }: ActorSpec): boolean => budget !== 1;
  const way = (is: boolean, what: string, less: readonly Partial<WorldSpec>[]): SmallerWorlds[] =>
    is
      ? [{ assumption: `all ${what} but one`, worlds: less.map((one) => ({ ...model, ...one })) }]
      : [];
  const alone = (part: 'vcpus' | 'events' | 'actors', what: string): SmallerWorlds[] => {
    const all = model[part] ?? [];
    return way(
      all.length > 1,
      what,
      all.map((one) => ({ [part]: [one] })),
    );
  };
  return [
    ...way(cpus > 1, 'CPUs', [oneCpu]),
    ...alone('vcpus', 'vCPUs'),
    ...alone('events', 'events'),
    ...alone('actors', 'actors'),
    ...way(
      nmis.length > 1 || nmis.some(isOften),
      'NMIs',
      nmis.map((one) => ({ actors: [...others, once(one)] })),
    ),
    ...way(actors.some(isOften), 'acts of each actor', [{ actors: actors.map(once) }]),
  ];
}

const NMIS_IN_E3 = 'NMIs between the load of pebs_enabled and the WRMSR in PMU enable';

/** Without late NMIs, without one actor, event or vCPU. */
function oneByOne(model: WorldSpec): SmallerWorlds[] {
  const { actors = [], events = [], vcpus = [] } = model;
  const leads = (name: string | undefined): boolean =>
    events.some((event) => event.group_leader === name);
  const without = (assumption: string, more: Partial<WorldSpec>): SmallerWorlds => ({
    assumption,
    worlds: [{ ...model, ...more }],
  });
  return [
    ...(model.nmi_timing === 'late' ? [without('late NMIs', { nmi_timing: 'prompt' })] : []),
    ...(model.nmi_in_e3 === false ? [] : [without(NMIS_IN_E3, { nmi_in_e3: false })]),
    ...actors.map((one) =>
      without(`the actor ${one.kind}`, { actors: actors.filter((other) => other !== one) }),
    ),
    ...events
      .filter(({ name }) => !leads(name))
      .map((one) =>
        without(`the event ${one.name}`, { events: events.filter((other) => other !== one) }),
      ),
    ...vcpus.map((one) =>
      without(`the vCPU ${one.name}`, { vcpus: vcpus.filter((other) => other !== one) }),
    ),
  ];
}

function canBeSetUp(model: WorldSpec): boolean {
  try {
    exploredWorld(model);
    return true;
  } catch (error) {
    if (error instanceof WorldError) {
      return false;
    }
    throw error;
  }
}
