/** What the kernel and the firmware say of the machine when it starts, as facts. */
import { CORE_TYPES, type FactName, factsOfSignature } from '../facts.js';
import type { RecordSink } from '../record.js';
import type { LogLine } from './log-line.js';
import type { Recogniser } from './log-reader.js';

interface Banner {
  readonly pattern: RegExp;
  facts(groups: Record<string, string>): readonly (readonly [FactName, string])[];
}

/** A line of perf's list of counters, e.g. `... version:                   5`. */
const COUNTERS: Readonly<Record<string, FactName>> = {
  version: 'pmu_version',
  'bit width': 'counter_width',
  'generic counters': 'general_counters',
  'generic registers': 'general_counters',
  'fixed-purpose events': 'fixed_counters',
  'fixed-purpose counters': 'fixed_counters',
  'event mask': 'counter_mask',
  'global_ctrl mask': 'counter_mask',
};

const hex = (digits: string): string => `0x${Number.parseInt(digits, 16).toString(16)}`;
const decimal = (digits: string): string => String(Number.parseInt(digits, 16));

const BANNERS: readonly Banner[] = [
  {
    pattern: /^\s*Linux version (?<release>\S+) \((?:.{0,1000}\) (?<version>#\d.{0,200}))?/,
    facts: ({ release = '', version }) => [
      ['kernel_release', release],
      ...(version === undefined ? [] : [['kernel_version', version.trim()] as const]),
    ],
  },
  {
    pattern:
      /: CPU0: (?<name>.{1,80}) \(family: 0x(?<family>[0-9a-f]+), model: 0x(?<model>[0-9a-f]+), stepping: 0x(?<stepping>[0-9a-f]+)\)\s*$/,
    facts: ({ name = '', family = '', model = '', stepping = '' }) => [
      ['cpu_name', name],
      ['cpu_family', decimal(family)],
      ['cpu_model', decimal(model)],
      ['cpu_stepping', decimal(stepping)],
    ],
  },
  {
    pattern:
      /microcode: (?:CPU(?<cpu>\d+) )?sig=0x(?<sig>[0-9a-f]+), pf=0x[0-9a-f]+, revision=0x(?<revision>[0-9a-f]+)\s*$/,
    facts: ({ sig = '', revision = '' }) => [
      ...factsOfSignature(Number.parseInt(sig, 16)),
      ['microcode', hex(revision)],
    ],
  },
  {
    pattern:
      /microcode: (?:Current revision: 0x|updated early: 0x[0-9a-f]+ -> 0x|microcode updated early to revision 0x)(?<revision>[0-9a-f]+)(?:,.*)?\s*$/,
    facts: ({ revision = '' }) => [['microcode', hex(revision)]],
  },
  {
    pattern: /^CPU: ID (?<sig>[0-9a-f]{3,8}), .*\bucode: (?<revision>[0-9a-f]{8})\s*$/,
    facts: ({ sig = '', revision = '' }) => [
      ...factsOfSignature(Number.parseInt(sig, 16)),
      ['microcode', hex(revision)],
    ],
  },
  {
    pattern: /^\s*Hypervisor detected: (?<name>.+?)\s*$/,
    facts: ({ name = '' }) => [['hypervisor', name]],
  },
  {
    pattern: /NMI watchdog: Enabled\. Permanently consumes one hw-PMU counter/,
    facts: () => [['nmi_watchdog', 'on']],
  },
  {
    pattern: /PEBS disabled due to CPU errata/,
    facts: () => [['pebs', 'disabled']],
  },
  {
    pattern: /PEBS enabled due to microcode update/,
    facts: () => [['pebs', 'yes']],
  },
  {
    pattern: /Performance Events: (?<list>.{0,400}\b(?:PMU driver|software events only)\.)\s*$/,
    facts: ({ list = '' }) => factsOfDriver(list),
  },
];

/** `PEBS fmt4+-baseline,  AnyThread deprecated, Icelake events, 32-deep LBR, …, Intel PMU driver.` */
function factsOfDriver(list: string): readonly (readonly [FactName, string])[] {
  if (/no PMU driver|software events only/.test(list)) return [['pmu_driver', 'none']];
  const facts: [FactName, string][] = [];
  const driver = /(\w+) PMU driver\.$/.exec(list)?.[1] ?? '';
  facts.push(['pmu_driver', /^(?:Intel|AMD)$/.test(driver) ? driver : 'other']);
  const pebs = /(?:^|, *)PEBS fmt(\d+)[+-]?(-baseline)?|\bArchitectural PEBS\b/.exec(list);
  if (driver === 'Intel') facts.push(['pebs', pebs === null ? 'no' : 'yes']);
  if (pebs?.[1] !== undefined) facts.push(['pebs_format', pebs[1]]);
  if (pebs?.[2] !== undefined) facts.push(['pebs_baseline', 'yes']);
  const events = /(?:^|, +)([^,]+?) events,/.exec(list)?.[1]?.trim();
  if (events !== undefined) facts.push(['pmu_events', events]);
  if (events?.includes('Hybrid')) facts.push(['hybrid', 'yes']);
  return facts;
}

const KIND_OF_CPU = new RegExp(String.raw`\b(?<kind>${CORE_TYPES.join('|')}) PMU driver:`);
const COUNTER = /^\s*\.\.\. (?<name>[\w -]+?): +(?<value>[0-9a-f]+)\s*$/;

/** Only these lines are looked at. */
const ANY =
  /\.\.\. |Linux version|CPU0: |microcode|ucode|Hypervisor|NMI watchdog|PEBS|PMU driver|Performance Events/;

export class Banners implements Recogniser {
  /** The kind of CPU that the lines below are about, on a hybrid machine. */
  private kind = '';

  constructor(private readonly sink: RecordSink) {}

  take(line: LogLine): boolean {
    const { text, number } = line;
    if (!ANY.test(text)) return false;
    const kind = KIND_OF_CPU.exec(text)?.groups?.kind;
    if (kind !== undefined) {
      this.kind = `${kind}.`;
      this.sink.fact(number, 'hybrid', 'yes');
      return true;
    }
    const { name = '', value = '' } = COUNTER.exec(text)?.groups ?? {};
    const counter = COUNTERS[name];
    if (counter !== undefined) {
      this.sink.fact(number, this.kind + counter, value);
      return true;
    }
    for (const { pattern, facts } of BANNERS) {
      const match = pattern.exec(text);
      if (match === null) continue;
      if (/Performance Events:/.test(text)) this.kind = '';
      const { cpu, ...groups } = match.groups ?? {};
      for (const [fact, said] of facts(groups)) {
        this.sink.fact(number, fact, said, cpu === undefined ? undefined : Number(cpu));
      }
      return true;
    }
    if (/Performance Events: /.test(text)) {
      this.sink.reject(number, "perf's banner ends with its driver, and this line does not");
    }
    return false;
  }
}
