/** A live host that has run the script of a search's path. */
import { ScriptActionSchema } from '../../schemas/script.js';
import type { Path } from '../../src/explorer/path.js';
import type { MachineModel } from '../../src/model/machine-model.js';
import { replayScript } from '../../src/model/replay-script.js';
import { findCpuModel } from '../../src/pmu/arch/cpu-models.js';
import { findKernel } from '../../src/pmu/kernels/index.js';
import type { TraceEntry } from '../../src/pmu/stepping/run.js';
import { createHost, type Host } from '../../src/service/hosts/host.js';
import { HostSession } from '../../src/service/hosts/host-session.js';
import { runScript } from '../../src/service/hosts/scripts.js';
import { parseU64, scriptActions } from '../../src/service/wire.js';
import { faults } from '../faults.js';
import { present } from '../pmu/machine.js';

/** What a request's validation fills in. */
const TRANSITION_DEFAULTS = { count: 1, exit_reason: 'external_interrupt', trace: false } as const;

export async function liveHost(model: MachineModel, path: Path): Promise<Host> {
  return (await liveSession(model, path)).host;
}

/** With the entries of its trace. */
export async function liveSession(
  model: MachineModel,
  path: Path,
): Promise<{ host: Host; entries: readonly TraceEntry[] }> {
  const { host, script } = replayScript(model, path);
  const cpuModel = present(findCpuModel(host.cpu_model), host.cpu_model);
  const session = new HostSession(
    createHost({
      id: 'host_1',
      createdAt: '',
      model: cpuModel,
      kernel: present(findKernel(host.kernel), host.kernel),
      stepping: host.stepping ?? cpuModel.defaultStepping,
      microcode: parseU64(host.microcode ?? 0, ''),
      cpus: host.cpus ?? 1,
      options: host.options ?? {},
    }),
  );
  const wrong = script.flatMap((action) => faults(ScriptActionSchema, action));
  if (wrong.length > 0) throw new Error(`no such script: ${wrong}`);
  const actions = scriptActions(script).map((action) =>
    action.action === 'transition' ? { ...TRANSITION_DEFAULTS, ...action } : action,
  );
  await runScript(session, { actions });
  return { host: session.finish(), entries: session.run.trace };
}
