/** A path as what a client needs to replay it: a host to make, and a script for it. */
import type { Path } from '../explorer/path.js';
import type { MachineModel } from './machine-model.js';
import type { ScriptStep } from './steps/step-kind.js';
import { scriptOfPath, setUpActions } from './to-script.js';
import type { HostSpec, WorldSpec } from './world-spec.js';

export interface ReplayScript {
  readonly host: HostSpec;
  readonly script: ScriptStep[];
}

export function replayScript(model: MachineModel, path: Path): ReplayScript {
  const { spec } = model.explored;
  return { host: hostOf(spec), script: [...setUpActions(spec), ...scriptOfPath(model, path)] };
}

function hostOf(spec: WorldSpec): HostSpec {
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
