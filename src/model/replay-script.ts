/** A path as what a client needs to replay it: a host to make, and a script for it. */
import type { ExplorationModel } from '../../schemas/exploration-model.js';
import type { HostCreate } from '../../schemas/host.js';
import type { ScriptAction } from '../../schemas/script.js';
import type { Path } from '../explorer/path.js';
import type { MachineModel } from './machine-model.js';
import { scriptOfPath, setUpActions } from './to-script.js';

export interface ReplayScript {
  readonly host: HostCreate;
  readonly script: ScriptAction[];
}

export function replayScript(model: MachineModel, path: Path): ReplayScript {
  const { spec } = model.explored;
  return { host: hostOf(spec), script: [...setUpActions(spec), ...scriptOfPath(model, path)] };
}

function hostOf(spec: ExplorationModel): HostCreate {
  const { cpu_model, kernel, microcode, stepping, cpus, options } = spec;
  return {
    cpu_model,
    kernel,
    ...(microcode === undefined ? {} : { microcode }),
    ...(stepping === undefined ? {} : { stepping }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(options === undefined ? {} : { options }),
  };
}
