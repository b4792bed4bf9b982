/**
 * turbostat with an added MSR, e.g. `--add msr0x3f1,u64,raw,PEBS_EN`: a table a round, whose first row (`-`) sums up. Package and
 * core are no CPUs, and rows leave out columns at their end.
 */
import type { Reader, RecordSink } from '../record.js';
import { ObservedRecord } from '../record.js';
import { msrOf } from '../registers.js';
import { valueOfHex } from '../value.js';

const ALL_32 = { hi: 0, lo: 0xffff_ffff };

export const looksLikeTurbostat = (line: string): boolean =>
  /^turbostat version /.test(line) || isHeader(cellsOf(line));

/** No cell is empty: rows only end early. */
const cellsOf = (line: string): string[] => line.trim().split(/\s+/);

/** turbostat's own columns, one of which stands beside an MSR's unless that is alone. */
const OWN = /^(?:CPU|Core|Package|Node|Die|usec|Time_Of_Day_Seconds|APIC|X2APIC|Busy%|Bzy_MHz)$/;

const isHeader = (cells: readonly string[]): boolean =>
  cells.every((cell) => /^[A-Za-z0]/.test(cell) && !/^0x0/.test(cell)) &&
  (cells.includes('Busy%') ||
    (cells.some((cell) => msrColumn(cell) !== null) &&
      (cells.length === 1 || cells.some((cell) => OWN.test(cell)))));

const isRow = (cells: readonly string[]): boolean =>
  /^(?:-|\d[\d.]*|0x[0-9a-f]+)$/.test(cells[0] ?? '') && cells[1] !== 'sec';

/** The MSR of a column: turbostat's own `M0X3f1`, or a name that says it. */
function msrColumn(name: string): number | null {
  const digits = /^m(?:sr)?_?0x([0-9a-f]+)$/i.exec(name)?.[1];
  return digits === undefined && !/^(?:\w+_)?pebs_?en(?:able)?$|^(?:msr_?)?(?:0x)?3f1$/i.test(name)
    ? null
    : msrOf(digits ?? '3f1');
}

export class Turbostat implements Reader {
  private cpu = -1;
  private time = -1;
  private columns: { readonly place: number; readonly msr: number }[] = [];

  constructor(private readonly sink: RecordSink) {}

  line(text: string, number: number): void {
    const cells = cellsOf(text);
    if (isHeader(cells)) this.header(cells);
    else if (this.columns.length > 0 && isRow(cells)) this.row(cells, number);
    else this.preamble(text, number);
  }

  end(): void {}

  private header(cells: readonly string[]): void {
    this.cpu = cells.indexOf('CPU');
    this.time = cells.indexOf('Time_Of_Day_Seconds');
    this.columns = cells.flatMap((name, place) => {
      const msr = msrColumn(name);
      return msr === null ? [] : [{ place, msr }];
    });
  }

  private row(cells: readonly string[], number: number): void {
    if (this.cpu < 0) {
      this.sink.reject(
        number,
        'a summary of all CPUs, which older versions print as 0: leave out --Summary',
      );
      return;
    }
    const cpu = cells[this.cpu] ?? '';
    if (cpu === '-') {
      this.sink.record(new ObservedRecord(number, 'snapshot'));
      return;
    }
    for (const { place, msr } of this.columns) {
      const digits = /^0x([0-9a-f]{16}|[0-9a-f]{8})$/.exec(cells[place] ?? '')?.[1];
      if (digits === undefined || !/^\d+$/.test(cpu)) {
        const reason = 'not a raw value of a CPU: add the MSR with ",u64,raw"';
        this.sink.reject(number, reason, /^\d+$/.test(cpu) ? Number(cpu) : undefined);
        continue;
      }
      const record = new ObservedRecord(number, 'reading');
      record.cpu = Number(cpu);
      record.at = cells[this.time] ?? null;
      record.msr = msr;
      record.value = valueOfHex(digits);
      record.known = digits.length === 8 ? ALL_32 : null;
      this.sink.record(record);
    }
  }

  private preamble(text: string, number: number): void {
    const vendor = /^CPUID\(0\): (\w+) 0x[0-9a-f]+ CPUID levels$/.exec(text)?.[1];
    if (vendor !== undefined) this.sink.fact(number, 'cpu_vendor', vendor);
    const cpu =
      /^CPUID\(1\): family:model:stepping 0x[0-9a-f]+:[0-9a-f]+:[0-9a-f]+ \((\d+):(\d+):(\d+)\)(?: microcode (0x[0-9a-f]+))?/.exec(
        text,
      );
    const [, family, model, stepping, microcode] = cpu ?? [];
    if (family === undefined || model === undefined || stepping === undefined) return;
    this.sink.fact(number, 'cpu_family', family);
    this.sink.fact(number, 'cpu_model', model);
    this.sink.fact(number, 'cpu_stepping', stepping);
    if (microcode !== undefined) this.sink.fact(number, 'microcode', microcode);
  }
}

export const turbostat = (sink: RecordSink): Reader => new Turbostat(sink);
