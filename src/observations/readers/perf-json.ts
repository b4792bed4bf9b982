/** `perf data convert --to-json`: its headers say what the machine is; its samples have no values of MSRs. */
import type { Reader, RecordSink } from '../record.js';
import { PERF_HEADERS, perfHeader } from './perf-header.js';

export const looksLikePerfJson = (line: string): boolean => /"linux-perf-json-version"/.test(line);

const NO_VALUES =
  'perf data convert --to-json gives no values of MSRs: send the output of "perf script" instead';

export class PerfJson implements Reader {
  private inHeaders = true;

  constructor(private readonly sink: RecordSink) {}

  line(text: string, number: number): void {
    if (!this.inHeaders) return;
    const [headers = '', samples] = text.split('"samples"', 2);
    const said = (name: string): string | undefined =>
      new RegExp(`"${name}": *(?:"([^"]*)"|(\\d+))`).exec(headers)?.slice(1).find(Boolean);
    for (const name of PERF_HEADERS) {
      const value = said(name.replace(' ', '-'));
      if (value !== undefined) perfHeader(this.sink, number, name, value);
    }
    if (samples === undefined) return;
    this.inHeaders = false;
    this.sink.reject(number, NO_VALUES);
  }

  end(): void {}
}

export const perfJson = (sink: RecordSink): Reader => new PerfJson(sink);
