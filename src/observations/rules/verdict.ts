/** Sums up what the rules found: a verdict for every CPU, and one for the whole. */
import { bitNames } from '../bits.js';
import type { FactsBook } from '../facts-book.js';
import { OBSERVED_VERDICTS, type ObservedPath, type ObservedVerdict } from '../vocabulary.js';
import { differences } from './differences.js';
import { about, type Finding, NAME } from './finding.js';
import type { Judge } from './judge.js';
import { QUIET_WINDOWS } from './r0-path.js';
import { notApplicable, ofOneMachine } from './r5-not-applicable.js';
import type { Doubt, Need } from './r6-data.js';
import { readCount } from './snapshot.js';

export interface CpuVerdict {
  readonly cpu: number;
  readonly verdict: ObservedVerdict;
  readonly reason: string;
}

export interface Judgement {
  readonly path: ObservedPath;
  readonly cpus: readonly CpuVerdict[];
  /** The gravest first. */
  readonly findings: readonly Finding[];
  readonly verdict: ObservedVerdict;
  /** What would let the inconclusive CPUs be judged. */
  readonly needs: ReadonlySet<Need>;
}

/** `cut`: more of the text may follow, and may show a loss, or that a bit was cleared. */
export function judgement(judge: Judge, facts: FactsBook, cut: boolean): Judgement {
  return new Summary(judge, facts, cut).judgement();
}

const CUT: Doubt = {
  why: 'the text is cut, and what follows may say more',
  lines: [],
  need: 'two_reads',
};

class Summary {
  private readonly findings: Finding[] = [];
  private readonly needs = new Set<Need>();
  private readonly path: ObservedPath;
  /** Something shows that KVM switches the register: R5 cannot hold. */
  private switched = false;
  /** R5 holds for the machine. */
  private readonly inapplicable: boolean;

  constructor(
    private readonly judge: Judge,
    private readonly facts: FactsBook,
    private readonly cut: boolean,
  ) {
    this.path = this.findPath();
    const reasons = this.switched ? [] : notApplicable(facts);
    this.findings.push(...reasons);
    this.inapplicable = reasons.length > 0 && ofOneMachine(facts);
  }

  judgement(): Judgement {
    const { judge, findings } = this;
    const cpus = judge.data.concerned().map((cpu) => this.judgeCpu(cpu));
    this.addMachineWide();
    findings.push(...judge.notices.findings, ...judge.notices.throttledFindings());
    findings.push(...differences(this.facts));
    const rank = ({ verdict }: Finding): number => OBSERVED_VERDICTS.indexOf(verdict);
    findings.sort((a, b) => rank(a) - rank(b));
    const verdict = this.whole(cpus);
    return { path: this.path, cpus, findings, verdict, needs: this.needs };
  }

  private findPath(): ObservedPath {
    const { path, writer, data } = this.judge;
    const { cut } = this;
    const shown = path.proof(data.lostAnywhere);
    const proofs = [shown, writer.finding].filter((proof) => proof !== null);
    this.findings.push(...proofs);
    this.switched = proofs.length > 0;
    // Statistics that follow a trace may tell of a loss inside the window; a list or a stack needs no window.
    if (writer.finding !== null || path.isListed || (shown !== null && !cut)) return 'autoload';
    const windows = path.quietWindows();
    if (windows < QUIET_WINDOWS || this.cut || data.lostAnywhere) return 'unknown';
    const text = `In ${windows} round trips with host PEBS on KVM did not zero ${NAME}: the register is not in the MSR-load areas.`;
    this.findings.push(about('R0', 'none', null, [], text));
    return 'none';
  }

  private judgeCpu(cpu: number): CpuVerdict {
    const { heal, data, dump } = this.judge;
    const version = readCount(this.facts.valueOf(cpu, 'pmu_version') ?? undefined);
    const found = heal.findings(cpu, version);
    const proved = heal.verdict(cpu, version);
    if (proved !== null && !this.cut && !data.isLossy(cpu)) {
      this.findings.push(...found);
      return { cpu, verdict: proved, reason: gravest(found, proved).text };
    }
    this.findings.push(
      ...found.map((finding): Finding => ({ ...finding, verdict: 'inconclusive' })),
    );
    const withoutLine = dump.without(cpu);
    if (withoutLine > 0 && !data.wasRead(cpu) && !data.isUnreadable(cpu)) {
      const reason = `The dump prints no ${NAME}: the CPU has no PEBS, or perf does not use it.`;
      this.findings.push(about('R5', 'not_applicable', cpu, [withoutLine], reason));
      return { cpu, verdict: 'not_applicable', reason };
    }
    if (this.inapplicable && !data.sawBits(cpu)) {
      const reason = this.findings.find(({ rule }) => rule === 'R5')!.text;
      return { cpu, verdict: 'not_applicable', reason };
    }
    return this.doubtful(cpu, version);
  }

  private doubtful(cpu: number, version: number | null): CpuVerdict {
    const { heal, data } = this.judge;
    const doubt = data.doubt(cpu, heal.unsureLine(cpu, version)) ?? (this.cut ? CUT : null);
    if (doubt === null) {
      const reason = `${NAME} was zero in all reads, which are more than two ticks apart.`;
      return { cpu, verdict: 'clean', reason };
    }
    this.needs.add(doubt.need);
    const why = this.cut ? CUT.why : doubt.why;
    const reason = `Inconclusive: ${why}.`;
    const bits = bitNames(data.bits(cpu), version);
    this.findings.push(about('R6', 'inconclusive', cpu, doubt.lines, `CPU ${cpu}: ${why}.`, bits));
    return { cpu, verdict: 'inconclusive', reason };
  }

  private addMachineWide(): void {
    const { noCpu, data } = this.judge;
    const version = readCount(this.facts.value('pmu_version') ?? undefined);
    const finding = noCpu.finding(version);
    if (finding !== null) {
      this.findings.push(finding);
      this.needs.add('two_reads');
    }
    for (const { cpu, line } of data.losses()) {
      if (cpu !== null) continue;
      const text = 'Records were lost, and it is not known of which CPUs.';
      this.findings.push({ ...about('R6', 'inconclusive', null, [line], text), msr: null });
      this.needs.add('no_loss');
    }
    if (data.unreadableLine > 0) this.needs.add('readable');
    if (data.tainted) this.needs.add('reboot');
  }

  private whole(cpus: readonly CpuVerdict[]): ObservedVerdict {
    const { noCpu, data, tests } = this.judge;
    const some = (verdict: ObservedVerdict): boolean => cpus.some((cpu) => cpu.verdict === verdict);
    if (some('stuck')) return 'stuck';
    if (some('transient')) return 'transient';
    if (some('inconclusive')) return 'inconclusive';
    if (this.inapplicable && !noCpu.sawBits) return 'not_applicable';
    const unknown = noCpu.sawAny || data.lostAnywhere || data.tainted || data.unreadableLine > 0;
    if (unknown) return 'inconclusive';
    if (some('clean')) return 'clean';
    return some('not_applicable') || tests.allSkipped ? 'not_applicable' : 'none';
  }
}

const gravest = (findings: readonly Finding[], verdict: ObservedVerdict): Finding =>
  findings.find((finding) => finding.verdict === verdict)!;
