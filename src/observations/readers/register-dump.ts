/**
 * The registers that perf prints of the CPU it runs on, for SysRq-p and where its interrupt handler is stuck:
 * `CPU#3: pebs:       0000000000000001`. Dumps of several CPUs mix, so each line goes by its own `CPU#n`.
 */
import type { RecordSink } from '../record.js';
import {
  DEBUGCTL,
  FIXED_CTR_CTRL,
  GLOBAL_CTRL,
  GLOBAL_STATUS,
  GLOBAL_STATUS_RESET,
  PEBS_ENABLE,
} from '../registers.js';
import { valueOfHex } from '../value.js';
import { type LogLine, recordOf } from './log-line.js';
import type { Recogniser } from './log-reader.js';

const MSRS: Readonly<Record<string, number>> = {
  ctrl: GLOBAL_CTRL,
  status: GLOBAL_STATUS,
  overflow: GLOBAL_STATUS_RESET,
  fixed: FIXED_CTR_CTRL,
  pebs: PEBS_ENABLE,
  debugctl: DEBUGCTL,
};

const BEGUN = /CPU#\d+: (?:ctrl|status|overflow|fixed|pebs|debugctl|active):/;
const WHOLE = /^CPU#(\d+): (\w+): +([0-9a-f]{16})$/;

export const looksLikeRegisterDump = (line: string): boolean => BEGUN.test(line);

export class RegisterDump implements Recogniser {
  constructor(private readonly sink: RecordSink) {}

  take(line: LogLine): boolean {
    if (!BEGUN.test(line.text)) return false;
    const [, cpu, name, digits] = WHOLE.exec(line.text.trimEnd()) ?? [];
    const value = digits === undefined ? null : valueOfHex(digits);
    if (cpu === undefined || name === undefined || value === null) {
      const reason = 'a register dump prints "CPU#n: name:" and 16 digits';
      const named = /^CPU#(\d+): /.exec(line.text)?.[1];
      this.sink.reject(line.number, reason, named === undefined ? undefined : Number(named));
      return false;
    }
    const record = recordOf(line, name === 'active' ? 'active_mask' : 'reading');
    record.cpu = Number(cpu);
    record.msr = MSRS[name] ?? null;
    record.value = value;
    record.name = name;
    this.sink.record(record);
    return true;
  }
}
