/** Walks through the states of an exploration: what a state is, what is possible there, and what lies around it. */
import type { WalkState } from '../../../schemas/counterexample.js';
import { fingerprint } from '../../explorer/fingerprint.js';
import type { Standing } from '../../explorer/graph-thread.js';
import { parsePath, walkTo } from '../../explorer/path.js';
import type { MachineModel } from '../../model/machine-model.js';
import { neighbourhoodOf } from '../../model/neighbourhood.js';
import { placeNames, placeOf } from '../../model/place.js';
import { walkState } from '../../model/state-browser.js';
import type { MachineState } from '../../pmu/machine/state.js';
import type { WorkRow } from '../../store/work-store.js';
import { cpuMode, msrViews } from '../hosts/msr-views.js';
import { Slices } from '../slices.js';
import { modelOf, onPath } from './findings.js';
import type { Graphs } from './graphs.js';

interface Asked {
  /** By whose violation the regions are drawn. */
  readonly property?: string;
  /** Also list the states within so many steps. */
  readonly depth?: number;
}

export async function stateAt(
  graphs: Graphs,
  row: WorkRow,
  text: string,
  { property, depth }: Asked,
): Promise<WalkState> {
  const model = modelOf(row);
  const path = await onPath(() => parsePath(text));
  const place = await onPath(() => walkTo(model, path));
  const slices = new Slices();
  const around =
    depth === undefined
      ? undefined
      : await neighbourhoodOf(model, path, place, depth, () => slices.pause());
  const nodes = [place, ...place.successors, ...(around?.nodes ?? [])];
  const states = nodes.map(({ state }) => state);
  const judged = await graphs.standings(row, property, states);
  const standings = byState(states, judged.standings);
  const { enabled, ...rest } = walkState(model, path, place);
  return {
    ...rest,
    property: judged.property,
    ...(judged.unknown === undefined ? {} : { regions_unknown: judged.unknown }),
    ...standingItem(standings.get(rest.id)),
    registers: registersOf(model, model.unpacked(place.state).state),
    enabled: enabled.map((step) => ({ ...step, ...standingItem(standings.get(step.id)) })),
    ...(around && {
      neighbourhood: {
        ...around,
        nodes: around.nodes.map(({ state: _, ...node }) => ({
          ...node,
          ...standingItem(standings.get(node.id)),
        })),
      },
    }),
  };
}

function byState(
  states: readonly Int32Array[],
  standings: readonly Standing[] | null,
): ReadonlyMap<string, Standing> {
  const known = (standings ?? []).map(
    (standing, at) => [fingerprint(states[at]!), standing] as const,
  );
  return new Map(known);
}

function standingItem(standing: Standing | undefined) {
  return { region: standing?.region ?? null, steps_to_violation: standing?.steps ?? null };
}

function registersOf({ explored }: MachineModel, state: MachineState): WalkState['registers'] {
  return state.cpus.map((cpu, index) => ({
    cpu: index,
    ...placeNames(placeOf(cpu)),
    mode: cpuMode(cpu),
    msrs: msrViews({ ...explored.host, state }, index),
  }));
}
