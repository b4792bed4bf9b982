/** What /proc/cpuinfo, `uname` and `cpuid -r` print: facts only, of each CPU where they are. */
import type { FactName } from '../facts.js';
import { factsOfSignature } from '../facts.js';
import type { Reader, RecordSink } from '../record.js';

export const looksLikeCpuinfo = (line: string): boolean =>
  /^processor\s*: \d+$/.test(line) ||
  CPUID_CPU.test(line) ||
  CPUID_LEAF.test(line) ||
  UNAME.test(line) ||
  WITHOUT_HOST.test(line);

const FIELDS: Readonly<Record<string, FactName>> = {
  vendor_id: 'cpu_vendor',
  'cpu family': 'cpu_family',
  model: 'cpu_model',
  'model name': 'cpu_name',
  stepping: 'cpu_stepping',
  microcode: 'microcode',
};

const CPUID_CPU = /^CPU(?: (\d+))?:$/;
const CPUID_LEAF =
  /^\s*0x([0-9a-f]{8}) 0x([0-9a-f]{2}): eax=0x([0-9a-f]{8}) ebx=0x([0-9a-f]{8}) ecx=0x([0-9a-f]{8}) edx=0x([0-9a-f]{8})\s*$/;

const UNAME = /^Linux \S+ (\d+\.\d+\S*) /;
/** `uname -sr` and `uname -srm`. */
const WITHOUT_HOST = /^Linux (\d+\.\d+\S*)(?: [a-z]\w*)?$/;
const RELEASE = /^(\d+\.\d+[.-]\S+)$/;
/** What `uname -v` prints, alone or behind the release. */
const VERSION = /^(?:Linux \S+ \S+ )?(#\d+.{0,200}?)(?: (?:x86_64|i[3-6]86|unknown)\b.*)?$/;
/** No CPU with PEBS has fewer; a shorter list was cut by somebody. */
const FLAGS_MIN = 40;

export class Cpuinfo implements Reader {
  /** The CPU that the lines below are about. */
  private cpu: number | undefined;
  private readonly cpuid: CpuidLeaves;

  constructor(private readonly sink: RecordSink) {
    this.cpuid = new CpuidLeaves(sink);
  }

  line(text: string, number: number): void {
    const release = (UNAME.exec(text) ?? WITHOUT_HOST.exec(text))?.[1] ?? RELEASE.exec(text)?.[1];
    if (release !== undefined) this.sink.fact(number, 'kernel_release', release);
    const version = VERSION.exec(text)?.[1];
    if (version !== undefined) this.sink.fact(number, 'kernel_version', version);
    const cpu = CPUID_CPU.exec(text) ?? /^processor\s*: (\d+)$/.exec(text);
    if (cpu !== null) this.cpu = cpu[1] === undefined ? undefined : Number(cpu[1]);
    else if (!this.cpuid.line(text, number, this.cpu)) this.field(text, number);
  }

  end(): void {}

  private field(text: string, number: number): void {
    const colon = text.indexOf(':');
    const name = text.slice(0, Math.max(0, colon)).trim();
    const value = text.slice(colon + 1).trim();
    const fact = FIELDS[name];
    if (fact !== undefined) this.sink.fact(number, fact, value, this.cpu);
    if (name !== 'flags') return;
    const flags = new Set(value.split(' '));
    if (flags.has('pebs')) this.sink.fact(number, 'pebs', 'yes', this.cpu);
    else if (flags.size >= FLAGS_MIN) this.sink.fact(number, 'pebs', 'no', this.cpu);
    if (flags.has('hypervisor')) this.sink.fact(number, 'hypervisor', 'yes', this.cpu);
  }
}

class CpuidLeaves {
  constructor(private readonly sink: RecordSink) {}

  /** Whether the line is one of a leaf. */
  line(text: string, number: number, cpu: number | undefined): boolean {
    const match = CPUID_LEAF.exec(text);
    if (match === null) return false;
    const [leaf = 0, subleaf, eax = 0, ebx = 0, ecx = 0, edx = 0] = match
      .slice(1)
      .map((digits) => Number.parseInt(digits, 16));
    const say = (name: FactName, value: string | number): void =>
      this.sink.fact(number, name, String(value), cpu);
    if (leaf === 0) say('cpu_vendor', [ebx, edx, ecx].map(lettersOf).join(''));
    if (leaf === 1) {
      for (const [name, value] of factsOfSignature(eax)) say(name, value);
      if (ecx >>> 31 === 1) say('hypervisor', 'yes');
    }
    if (leaf === 7 && subleaf === 0 && ((edx >>> 15) & 1) === 1) say('hybrid', 'yes');
    if (leaf === 0xa) {
      say('pmu_version', eax & 0xff);
      say('general_counters', (eax >>> 8) & 0xff);
      say('counter_width', (eax >>> 16) & 0xff);
      say('fixed_counters', edx & 0x1f);
      say('fixed_mask', `0x${ecx.toString(16)}`);
    }
    return true;
  }
}

const lettersOf = (register: number): string =>
  String.fromCharCode(
    register & 0xff,
    (register >>> 8) & 0xff,
    (register >>> 16) & 0xff,
    register >>> 24,
  );

export const cpuinfo = (sink: RecordSink): Reader => new Cpuinfo(sink);
