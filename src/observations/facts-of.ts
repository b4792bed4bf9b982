/** The facts of texts that only describe a machine, as they come with a request. */
import type { Fact } from './facts.js';
import { Lines } from './lines.js';
import { consoleText } from './readers/console.js';
import { cpuinfo } from './readers/cpuinfo.js';
import type { MakeReader, Reader } from './record.js';

const READERS = {
  cpuinfo,
  uname: cpuinfo,
  dmesg: consoleText,
} satisfies Record<string, MakeReader>;
export type MachineText = keyof typeof READERS;
export const MACHINE_TEXTS = Object.keys(READERS) as MachineText[];

/** Reads one text piece by piece. It is complete: its last line needs no end. */
export class FactsReader {
  private readonly found: Fact[] = [];
  private readonly reader: Reader;
  private readonly lines: Lines;

  constructor(kind: MachineText) {
    this.reader = READERS[kind]({
      record: () => {},
      reject: () => {},
      refuse: () => {},
      fact: (_, name, value, cpu) => {
        this.found.push({ name, value, cpu: cpu ?? null });
      },
    });
    this.lines = new Lines({
      line: (line, number) => this.reader.line(line, number),
      tooLong: () => {},
    });
  }

  write(piece: string): void {
    this.lines.write(piece);
  }

  end(): readonly Fact[] {
    this.lines.write('\n');
    this.reader.end();
    return this.found;
  }
}
