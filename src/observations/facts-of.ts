/** The facts of texts that only describe a machine, as they come with a request. */
import type { Fact } from './facts.js';
import { Lines } from './lines.js';
import { consoleText } from './readers/console.js';
import { cpuinfo } from './readers/cpuinfo.js';
import type { MakeReader } from './record.js';

export const factsOfCpuinfo = (text: string): readonly Fact[] => facts(text, cpuinfo);
export const factsOfUname = (text: string): readonly Fact[] => facts(text, cpuinfo);
export const factsOfDmesg = (text: string): readonly Fact[] => facts(text, consoleText);

/** The text is complete: its last line needs no end. */
function facts(text: string, makeReader: MakeReader): readonly Fact[] {
  const found: Fact[] = [];
  const reader = makeReader({
    record: () => {},
    reject: () => {},
    refuse: () => {},
    fact: (_, name, value, cpu) => {
      found.push({ name, value, cpu: cpu ?? null });
    },
  });
  const lines = new Lines({
    line: (line, number) => reader.line(line, number),
    tooLong: () => {},
  });
  lines.write(`${text}\n`);
  reader.end();
  return found;
}
