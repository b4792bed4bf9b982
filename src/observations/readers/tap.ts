/**
 * TAP and KTAP: nested by indentation (KUnit) or by `# ` (kselftest). A parent's own result comes after those of its children,
 * its name before them: `# Subtest: pebs`, `# selftests: kvm: pmu_counters_test`.
 */

import { LavaSignals } from './lava-signals.js';
import type { LogLine } from './log-line.js';
import { logReader, type Recogniser } from './log-reader.js';
import { ReadingLines } from './reading-lines.js';
import { type Result, TestResults } from './test-results.js';

export const looksLikeTap = (line: string): boolean =>
  /^(?:# )*\s*(?:K?TAP version [\d.]+$|(?:not )?ok \d+ |# Subtest: |# selftests: )/.test(line);

const RESULT = /^(not )?ok(?: (\d+))?(?: -)?(?: (.*))?$/;
const DIRECTIVE = /^(.*?)(?:^|\s)#\s*(SKIP|TODO|XFAIL|TIMEOUT|ERROR)\b[:\s]*(?:- )?(.*)$/i;
const PARENT = /^# (?:Subtest: (?<subtest>.+)|selftests: (?<selftest>\S.*))$/;

export class Tap implements Recogniser {
  /** Parents that have been named and whose results have not come, outermost first. */
  private parents: { readonly indent: number; readonly name: string }[] = [];
  /** Of a LAVA export: `# TAP results for`. */
  private suite = '';
  private seen = false;
  private inBlock = false;
  /** Why a plan of no tests skipped them. */
  private skipped = '';

  constructor(private readonly results: TestResults) {}

  take(line: LogLine): boolean {
    if (/^\s+(?:---|\.\.\.)\s*$/.test(line.text)) {
      this.inBlock = line.text.includes('-');
      return true;
    }
    if (this.inBlock) return false;
    const nested = /^(?:# (?=\s*(?:# |(?:not )?ok\b|K?TAP version|\d+\.\.\d)))*\s*/.exec(line.text);
    const indent = nested?.[0].length ?? 0;
    const text = line.text.slice(indent).trimEnd();
    if (/^K?TAP version /.test(text)) this.seen = true;
    else if (/^Bail out!/.test(text)) this.bailOut(line, text);
    else if (/^\d+\.\.\d+/.test(text)) this.plan(line, indent, text);
    else if (text.startsWith('# ')) return this.comment(indent, text);
    else return this.result(line, indent, text);
    return true;
  }

  /** The tests that were left will not run. */
  private bailOut(line: LogLine, text: string): void {
    this.results.add(line, { name: 'Bail out!', result: 'error', text: text.slice(9).trim() });
  }

  private plan(line: LogLine, indent: number, text: string): void {
    const reason = /^1\.\.0 # SKIP[\s-]*(.*)$/i.exec(text)?.[1];
    this.skipped = reason ?? '';
    // Of a test that runs alone; otherwise its parent tells.
    if (reason !== undefined && indent === 0 && this.parents.length === 0) {
      this.results.add(line, { name: '1..0', result: 'skip', text: reason });
    }
  }

  private comment(indent: number, text: string): boolean {
    const suite = /^# TAP results for (\S+)$/.exec(text)?.[1];
    if (suite !== undefined) {
      this.suite = `${suite}/`;
      this.parents = [];
      return true;
    }
    const { subtest, selftest } = PARENT.exec(text)?.groups ?? {};
    const name = subtest ?? selftest;
    if (name === undefined) return false;
    this.parents = this.parents.filter((parent) => parent.indent < indent);
    this.parents.push({ indent, name: selftest === undefined ? name : collected(name) });
    return true;
  }

  private result(line: LogLine, indent: number, text: string): boolean {
    const [, not, number, rest = ''] = RESULT.exec(text) ?? [];
    if (!/^(?:not )?ok\b/.test(text) || (number === undefined && !this.seen)) return false;
    const [, before, directive, after] = DIRECTIVE.exec(rest) ?? [];
    const [name = '', comment = ''] = (before ?? rest).split(' # ', 2);
    const own = name.startsWith('selftests: ') ? collected(name.slice(11)) : name.trim();
    const path = [...this.parentsOf(indent, own), own === '' ? `${number ?? ''}` : own].join('/');
    const result = resultOf(not === undefined, directive?.toUpperCase(), after ?? '');
    this.results.add(line, {
      name: this.suite + path,
      result,
      text: directive === undefined ? comment : this.why(result, directive, after ?? ''),
    });
    this.skipped = '';
    return true;
  }

  private why(result: Result, directive: string, after: string): string {
    if (result !== 'skip') return `${directive} ${after}`.trim();
    return after === '' ? this.skipped : after;
  }

  /** Names of the parents of a result; a parent whose own result this is counts no longer. */
  private parentsOf(indent: number, name: string): string[] {
    this.parents = this.parents.filter(
      (parent) =>
        (parent.indent < indent || (parent.indent === indent && indent > 0)) &&
        !(parent.indent === indent && parent.name === name),
    );
    return this.parents.map((parent) => parent.name);
  }
}

/** `kvm: pmu_counters_test`, the test of a collection. */
const collected = (name: string): string => name.split(': ').join('/');

function resultOf(ok: boolean, directive: string | undefined, reason: string): Result {
  switch (directive) {
    case 'SKIP':
      return 'skip';
    case 'TIMEOUT':
    case 'ERROR':
      return 'error';
    case 'TODO':
    case 'XFAIL':
      // LAVA writes its own "unknown" like this; otherwise the failure is an expected one.
      if (reason === 'unknown result') return 'unknown';
      return ok ? 'pass' : 'skip';
    default:
      return ok ? 'pass' : 'fail';
  }
}

export const ktap = logReader((sink) => {
  const results = new TestResults(sink);
  return [new ReadingLines(sink), new LavaSignals(results), new Tap(results)];
});
