/** `perf data convert --to-json`: its headers say what the machine is; its samples have no values of MSRs. */
import type { Reader, RecordSink } from '../record.js';

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
    this.fact(number, 'kernel_release', said('os-release'));
    this.fact(number, 'cpu_name', said('cpudesc'));
    this.fact(number, 'cpus', said('nrcpus-online'));
    const [vendor, family, model, stepping] = said('cpuid')?.split(',') ?? [];
    this.fact(number, 'cpu_vendor', vendor);
    this.fact(number, 'cpu_family', family);
    this.fact(number, 'cpu_model', model);
    this.fact(number, 'cpu_stepping', stepping);
    if (samples === undefined) return;
    this.inHeaders = false;
    this.sink.reject(number, NO_VALUES);
  }

  end(): void {}

  private fact(number: number, name: string, value: string | undefined): void {
    if (value !== undefined) this.sink.fact(number, name, value);
  }
}

export const perfJson = (sink: RecordSink): Reader => new PerfJson(sink);
