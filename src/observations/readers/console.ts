/**
 * The console of a machine: dmesg, a serial log, the journal, LAVA's log, syzkaller's. It holds what the kernel says and what
 * tests and collectors print in between.
 */
import { Banners } from './banners.js';
import { KernelMessages } from './kernel-messages.js';
import { KvmUnitTests } from './kut.js';
import { looksLikeLavaLog } from './lava-log.js';
import { LavaSignals, looksLikeLavaSignal } from './lava-signals.js';
import { Lkvs } from './lkvs.js';
import { hasKernelPrefix } from './log-line.js';
import { logReader } from './log-reader.js';
import { ReadingLines } from './reading-lines.js';
import { looksLikeRegisterDump, RegisterDump } from './register-dump.js';
import { Tap } from './tap.js';
import { TestResults } from './test-results.js';
import { UncheckedAccess } from './unchecked-access.js';

export const consoleText = logReader((sink) => {
  const results = new TestResults(sink);
  return [
    // Sees every line: a call trace may name the writer that it waits for.
    new UncheckedAccess(sink),
    new ReadingLines(sink),
    new RegisterDump(sink),
    new KernelMessages(sink),
    new Banners(sink),
    new LavaSignals(results),
    new Tap(results),
    new KvmUnitTests(results, sink),
    new Lkvs(results),
  ];
});

export const looksLikeConsole = (line: string): boolean =>
  hasKernelPrefix(line) ||
  looksLikeLavaLog(line) ||
  looksLikeLavaSignal(line) ||
  looksLikeRegisterDump(line) ||
  /^(?:perfevents: irq loop stuck!|(?:INFO: NMI handler|perf: interrupt took|perf samples) .*too long|unchecked MSR access)/.test(
    line,
  );
