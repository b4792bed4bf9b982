/** What perf notes of the machine in the head of a recording: `perf script --header` and `perf data convert --to-json` print it. */
import type { FactName } from '../facts.js';
import type { RecordSink } from '../record.js';

const FACTS: Readonly<Record<string, FactName>> = {
  'os release': 'kernel_release',
  cpudesc: 'cpu_name',
  'nrcpus online': 'cpus',
};
const OF_CPUID: readonly FactName[] = ['cpu_vendor', 'cpu_family', 'cpu_model', 'cpu_stepping'];

/** Names as `perf script` prints them; `cpuid` is `GenuineIntel,6,207,2`. */
export const PERF_HEADERS: readonly string[] = [...Object.keys(FACTS), 'cpuid'];

export function perfHeader(sink: RecordSink, line: number, name: string, value: string): void {
  const fact = FACTS[name];
  if (fact !== undefined) sink.fact(line, fact, value);
  if (name !== 'cpuid') return;
  const said = value.split(',');
  OF_CPUID.forEach((each, place) => {
    if (said[place]) sink.fact(line, each, said[place]);
  });
}
