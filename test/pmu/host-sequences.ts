/** Replays sequences of host-side actions that Linux's own code was run with, and compares every write and register. */
import { readFileSync } from 'node:fs';
import type { ScriptAction } from '../../schemas/script.js';
import { fixedCtrlToU64 } from '../../src/pmu/arch/fixed-ctrl.js';
import { COUNTER, DS_AREA, msrName } from '../../src/pmu/arch/msr.js';
import { createHost, type Host } from '../../src/service/hosts/host.js';
import { HostSession } from '../../src/service/hosts/host-session.js';
import { runScript } from '../../src/service/hosts/scripts.js';
import { cpuModelById, kernelById } from '../../src/service/lookups.js';
import {
  formatCounterSet,
  formatDataCfg,
  formatMsrValue,
  formatU64,
} from '../../src/service/wire.js';

export type Write = readonly [msr: string, value: string, by?: 'nmi'];

export interface Step {
  readonly action: string;
  readonly errno?: number;
  readonly writes: readonly Write[];
  readonly after: Readonly<Record<string, string | number | boolean>>;
}

export interface Sequence {
  readonly id: string;
  readonly cpu_model: string;
  readonly steps: readonly Step[];
}

export function sequencesOf(file: string): Sequence[] {
  const text = readFileSync(`test/conformance/${file}.json`, 'utf8');
  return (JSON.parse(text) as { sequences: Sequence[] }).sequences;
}

export function hostOf(cpuModel: string, kernel: string, groupThrottle?: boolean): Host {
  const model = cpuModelById(cpuModel, '');
  return createHost({
    id: 'host_0',
    createdAt: '',
    model,
    kernel: kernelById(kernel, ''),
    stepping: model.defaultStepping,
    microcode: { hi: 0, lo: 0 },
    cpus: 1,
    options: groupThrottle === undefined ? {} : { group_throttle: groupThrottle },
  });
}

/** Where a replay differs from the sequence first, in words; undefined where in nothing. */
export async function firstDifference(
  sequence: Sequence,
  start: Host,
): Promise<string | undefined> {
  let host = start;
  for (const [at, step] of sequence.steps.entries()) {
    const where = `${sequence.id} step ${at} ${step.action}`;
    const outcome = await act(host, [actionOf(step)]);
    if (step.errno !== undefined) {
      if (outcome.refused === undefined) {
        return `${where}: Linux refuses it with errno ${step.errno}`;
      }
      continue;
    }
    const difference = differenceFrom(step, outcome);
    if (difference !== undefined) return `${where}: ${difference}`;
    host = outcome.host;
  }
  return undefined;
}

export interface Outcome {
  /** As it was where something was refused. */
  readonly host: Host;
  readonly writes: readonly Write[];
  readonly refused?: string;
}

/** Does something to a host, all of it or nothing. */
export async function act(host: Host, actions: ScriptAction[]): Promise<Outcome> {
  const session = new HostSession(host);
  try {
    await runScript(session, { actions });
  } catch (error) {
    return { host, writes: [], refused: error instanceof Error ? error.message : String(error) };
  }
  const writes = writesOf(session);
  return { host: session.finish(), writes };
}

/** How writes and registers differ from those of Linux, in words; undefined where in nothing. */
export function differenceFrom(
  linux: Pick<Step, 'writes'> & Partial<Pick<Step, 'after'>>,
  { host, writes, refused }: Outcome,
): string | undefined {
  if (refused !== undefined) return `refused: ${refused}`;
  const here = JSON.stringify(writes);
  const expected = JSON.stringify(linux.writes.map(normal));
  if (here !== expected) return `\n  here  ${here}\n  Linux ${expected}`;
  const registers = registersOf(host);
  for (const [name, value] of Object.entries(linux.after ?? {})) {
    if (registers[name] !== canonical(value)) {
      return `${name} is ${registers[name]}, in Linux ${canonical(value)}`;
    }
  }
  return undefined;
}

function actionOf({ writes: _writes, after: _after, errno: _errno, ...step }: Step): ScriptAction {
  const action = { ...step } as Record<string, unknown>;
  if (['nmi', 'tick', 'pmu_disable', 'pmu_enable'].includes(step.action)) action.cpu = 0;
  const inject = action.inject as Record<string, unknown>[] | undefined;
  if (inject !== undefined) {
    action.inject = inject.map((one) => ({ ...one, at: placeOf(one.at as string) }));
  }
  return action as ScriptAction;
}

/** Places between two instructions of the kernel, by the micro-step they follow. */
const PLACES: Readonly<Record<string, string>> = {
  'before_write:IA32_PERF_GLOBAL_CTRL': 'e6_read_guest_mask',
  'before_write:IA32_FIXED_CTR_CTRL': 'e5_read_fixed_ctrl',
  'after_write:IA32_FIXED_CTR_CTRL': 'e5_wrmsr_fixed_ctrl',
  'before_write:IA32_PEBS_ENABLE': 'e3_read_pebs_enabled',
};

/** The micro-step that a place follows, by the place's name in these files. */
export function placeOf(at: string): string {
  return PLACES[at] ?? at;
}

/** The writes of a session in order, without counters. */
export function writesOf(session: HostSession): Write[] {
  const { addresses } = session.draft;
  return session.run.trace.flatMap((entry) =>
    entry.writes
      .filter(({ msr }) => msr < COUNTER)
      .map(({ msr, value }): Write => {
        const text =
          msr === DS_AREA ? (value ? 'set' : '0x0') : short(formatMsrValue(msr, value, addresses));
        return entry.actor === 'nmi' ? [msrName(msr), text, 'nmi'] : [msrName(msr), text];
      }),
  );
}

function normal([msr, value, by]: Write): Write {
  return by === undefined ? [msr, canonical(value)] : [msr, canonical(value), by];
}

export function registersOf(host: Host): Record<string, string> {
  const { hardware, cpuc } = host.state.cpus[0]!;
  return {
    global_ctrl: short(formatCounterSet(hardware.globalCtrl)),
    pebs_enable: short(formatCounterSet(hardware.pebsEnable)),
    fixed_ctr_ctrl: short(formatU64(fixedCtrlToU64(hardware.fixedCtrl))),
    pebs_data_cfg: short(formatDataCfg(hardware.pebsDataCfg)),
    ds_area_set: String(hardware.dsArea !== 0),
    enabled: String(cpuc.enabled),
    pebs_enabled: short(formatCounterSet(cpuc.pebsEnabled)),
    intel_ctrl_guest_mask: short(formatCounterSet(cpuc.intelCtrlGuestMask)),
    intel_ctrl_host_mask: short(formatCounterSet(cpuc.intelCtrlHostMask)),
    active_mask: short(formatCounterSet(cpuc.activeMask)),
    fixed_ctrl_val: short(formatU64(fixedCtrlToU64(cpuc.fixedCtrl))),
    active_fixed_ctrl_val: short(formatU64(fixedCtrlToU64(cpuc.activeFixedCtrl))),
  };
}

function canonical(value: string | number | boolean): string {
  return typeof value === 'string' && value.startsWith('0x') ? short(value) : String(value);
}

/** Hexadecimal without leading zeros. */
function short(hex: string): string {
  return hex.replace(/^0x0*(?=.)/, '0x');
}
