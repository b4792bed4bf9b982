/** Readings and writes of IA32_PEBS_ENABLE that name no CPU: line N of `rdmsr -a` is not CPU N. */
import type { U64 } from '../../pmu/arch/counter-set.js';
import { bitNames } from '../bits.js';
import type { ObservedRecord } from '../record.js';
import { isZero, or, ZERO } from '../value.js';
import { about, type Finding, NAME } from './finding.js';
import { MAX_LINES } from './r6-data.js';

export class NoCpu {
  private readings = 0;
  private nonzero = 0;
  private writes = 0;
  private bits: U64 = ZERO;
  private readonly lines: number[] = [];

  reading(record: ObservedRecord): void {
    const value = record.value!;
    this.readings += 1;
    if (isZero(value)) return;
    this.nonzero += 1;
    this.bits = or(this.bits, value);
    this.keep(record.line);
  }

  write(record: ObservedRecord): void {
    this.writes += 1;
    if (this.readings === 0) this.keep(record.line);
  }

  get sawAny(): boolean {
    return this.readings + this.writes > 0;
  }

  get sawBits(): boolean {
    return this.nonzero > 0;
  }

  finding(pmuVersion: number | null): Finding | null {
    if (!this.sawAny) return null;
    const text =
      this.readings > 0
        ? `${this.nonzero} of ${this.readings} readings of ${NAME} that name no CPU are nonzero.`
        : `${this.writes} ${this.writes === 1 ? 'write' : 'writes'} of ${NAME} on a CPU that is not named.`;
    return about('R6', 'inconclusive', null, this.lines, text, bitNames(this.bits, pmuVersion));
  }

  private keep(line: number): void {
    if (this.lines.length < MAX_LINES) this.lines.push(line);
  }
}
