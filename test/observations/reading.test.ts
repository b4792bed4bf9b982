/** One text: its format, its end, what is refused, and the answer around the verdict. */
import t from 'tap';
import { MAX_LINE_LENGTH } from '../../src/observations/lines.js';
import { Reading, RefusedText } from '../../src/observations/reading.js';
import { recordView } from '../../src/observations/record-view.js';
import { LISTED_REJECTS } from '../../src/observations/rejects.js';
import { read, readPieces } from './captures.js';
import { record } from './records.js';

const twice = (value: string, { events = '0', second = value } = {}): string =>
  [
    `# pebs_events=${events} ts=2026-11-20T10:00:00Z`,
    `cpu=3 3f1=${value}`,
    `# pebs_events=${events} ts=2026-11-20T10:00:02Z`,
    `cpu=3 3f1=${second}`,
    '',
  ].join('\n');

t.test('a last line without its end is taken only if the text is complete', async (t) => {
  const text = twice('0').slice(0, -1);
  const cut = read(text).answer;
  t.strictSame(cut.rejected, [{ line: 4, reason: 'the line has no end: it may be cut' }]);
  t.equal(cut.cut, true);
  t.equal(cut.verdict, 'inconclusive');
  t.match(cut.next, /whole text/);
  t.equal(read(text, { complete: true }).answer.verdict, 'clean');
  t.equal(read(twice('0')).answer.verdict, 'clean');
  t.equal(read(twice('0'), { complete: false }).answer.verdict, 'inconclusive');
  const stuck = read(twice('1'), { complete: false }).answer;
  t.match(stuck.findings[0], { rule: 'R1', verdict: 'inconclusive', bits: ['PMC0'] });
});

t.test('a format that is not named is recognised by the first lines', async (t) => {
  const prose = 'It was a dark and stormy night.\n'.repeat(150);
  t.equal(read(prose + twice('1')).answer.format, 'rdmsr');
  t.equal(read(prose + twice('1')).answer.findings[0]?.lines[0], 151, 'no line is missing');
  t.throws(() => read(prose + prose + twice('1')), RefusedText, 'not by what comes later');
  t.equal(read(prose + prose + twice('1'), { format: 'rdmsr' }).answer.verdict, 'stuck');
  t.throws(() => read(''), { name: 'RefusedText', message: /not recognised/ });
  t.throws(() => read('', { format: 'perf.data' }), { message: /no format/ });
  t.equal(read('', { format: 'rdmsr' }).answer.verdict, 'none');
});

t.test('a text whose values cannot be told is refused', async (t) => {
  t.throws(() => read('# rdmsr -a 0x3f1\n0\n4294967297\n'), { name: 'RefusedText', message: /-u/ });
});

t.test('lines that are too long are rejected, and rejects are counted', async (t) => {
  const long = `cpu=3 3f1=${'0'.repeat(MAX_LINE_LENGTH)}1\n`;
  t.match(read(twice('0') + long).answer.rejected, [{ line: 5, reason: /characters/ }]);
  const lines = 'cpu=3 3f1=\n'.repeat(LISTED_REJECTS + 5);
  const { answer } = readPieces([lines], { format: 'rdmsr' });
  t.equal(answer.rejected.length, LISTED_REJECTS);
  t.equal(answer.rejected_total, LISTED_REJECTS + 5);
  t.equal(answer.class, 'harness');
});

t.test('no machine has so many CPUs', async (t) => {
  const { answer, records } = read(`cpu=8192 3f1=1\n${twice('0')}`);
  t.match(answer.rejected, [{ line: 1, reason: /CPU 8192/ }]);
  t.strictSame(
    answer.cpus.map(({ cpu }) => cpu),
    [3],
  );
  t.equal(records.length, 4);
});

t.test('what is read after the kernel has reset the PMU is no reading', async (t) => {
  const text = [
    'CPU#0: pebs:       0000000000000000',
    'core: clearing PMU state on CPU#0',
    'CPU#0: pebs:       0000000000000001',
    'CPU#0: active:     0000000000000000',
    'CPU#1: pebs:       0000000000000001',
    'CPU#1: active:     0000000000000000',
    '',
  ].join('\n');
  const { answer, records } = read(text, { format: 'console' });
  t.match(answer.rejected, [{ line: 3 }]);
  t.strictSame(
    records.filter(({ kind }) => kind === 'reading').map(({ line }) => line),
    [1, 5],
  );
  t.match(answer.cpus, [
    { cpu: 0, verdict: 'inconclusive', reason: /reset/ },
    { cpu: 1, verdict: 'stuck' },
  ]);
});

t.test('a register that is damaged in a dump is not one that is missing', async (t) => {
  const dump = (digits: string) =>
    `[  100.000002] CPU#3: pebs:       ${digits}\n[  100.000003] CPU#3: active:     0000000000000000\n`;
  t.match(read(dump('00000001')).answer, { verdict: 'inconclusive', rejected: [{ line: 1 }] });
  t.match(read(dump('0000000000000001')).answer, { verdict: 'stuck' });
});

t.test('what the sender says of the machine counts', async (t) => {
  const dump = 'CPU#5: pebs:       0000000100000000\nCPU#5: active:     0000000000000003\n';
  const verdict = (facts: Record<string, string>): string =>
    read(dump, { format: 'console', facts }).answer.verdict;
  t.equal(verdict({}), 'inconclusive');
  t.equal(verdict({ pmu_version: '5' }), 'stuck');
  const missing = read(dump, { format: 'console' }).answer.missing;
  t.ok(missing.includes('pmu_version') && missing.includes('pebs_events'));
  t.notOk(read(twice('0')).answer.missing.includes('pebs_events'), 'the text says it');
  t.equal(read(dump + PMU_5, { format: 'console' }).answer.verdict, 'stuck', 'or the text, later');
});

const PMU_5 = '[    0.158480] ... version:                   5\n';

/** A window as perf script prints it, with the stacks of the writes or without. */
const script = (stacks: boolean): string => {
  const line = (cpu: number, at: number, event: string): string =>
    `       CPU 0/KVM  4242 [00${cpu}]  1371.8631${at}: ${event}\n`;
  const stack = (...names: string[]): string =>
    stacks ? `${names.map((name) => `\tffffffff8107a1b4 ${name}+0x64 ([x])\n`).join('')}\n` : '';
  return [
    line(3, 10, 'kvm:kvm_entry: vcpu 0, rip 0xffffffff81000aa0'),
    line(3, 11, 'msr:write_msr: 3f1, value 0'),
    stack('do_trace_write_msr', 'add_atomic_switch_msr', 'vmx_vcpu_run'),
    line(3, 12, 'msr:write_msr: 3f1, value 2'),
    stack('do_trace_write_msr', 'handle_pmi_common', 'perf_event_nmi_handler'),
    line(3, 13, 'kvm:kvm_exit: vcpu 0 reason HLT rip 0xffffffff81000aa4 info1 0x0 info2 0x0'),
    line(3, 14, 'msr:read_msr: 3f1, value 3'),
    stack('do_trace_read_msr', 'rdmsr_safe_on_cpu'),
  ].join('');
};

t.test('stacks tell what perf script does not: whose write it was', async (t) => {
  const { answer } = read(script(true));
  t.equal(answer.path, 'autoload');
  t.match(answer.findings, [
    { rule: 'R3', cpu: 3, bits: ['PMC0'] },
    { rule: 'R0' },
    { rule: 'R0b' },
  ]);
  const without = read(script(false)).answer;
  t.equal(without.path, 'unknown');
  t.equal(without.verdict, 'inconclusive');
  t.match(without.next, /context/);
});

const line = (at: number, flags: string, event: string): string =>
  `       CPU 0/KVM-4242    [003] ${flags}   900.10000${at}: ${event}\n`;

t.test('a line that gives nothing may have been a write', async (t) => {
  const until =
    line(1, 'd..1.', 'kvm_entry: vcpu 0, rip 0xfff0') +
    line(3, 'd.Z1.', 'write_msr: 3f1, value 0') +
    line(4, 'd..1.', 'kvm_exit: vcpu 0 reason HLT rip 0xfff1 info1 0x0 info2 0x0');
  const then = line(6, 'd.h1.', 'read_msr: 3f1, value 1');
  const write = line(5, 'd..1.', 'write_msr: 3f1, value 1');
  const verdict = (between: string): string => read(until + between + then).answer.verdict;
  t.equal(verdict(''), 'stuck');
  t.equal(verdict('noise\n'), 'stuck');
  t.equal(verdict(write.replace(', value', ', val[    7.024500] perf: x\nue')), 'inconclusive');
  t.equal(verdict(write.replace('003', '005').replace(', value', ', val[ 7.0')), 'stuck');
  t.equal(verdict(write.slice(26)), 'inconclusive', 'of which CPU is not known');
  t.equal(verdict('# tracer: nop\n#\n'), 'inconclusive', 'another trace');
});

t.test('a log of two machines says nothing of one that is true of the other', async (t) => {
  const of = (host: string, name: string, digit: number): string =>
    `Nov 20 10:00:01 ${host} kernel: CPU#3: ${name}:${' '.repeat(11 - name.length)}000000000000000${digit}\n`;
  const verdict = (...lines: string[]): string => read(lines.join('')).answer.verdict;
  const stuck = [of('a', 'pebs', 1), of('a', 'active', 0)];
  t.equal(verdict(...stuck), 'stuck');
  const [pebs, active] = stuck;
  const text = 'Nov 20 10:00:01 a kernel: [    1.000000] some kernel: x\n';
  t.equal(verdict(pebs!, text, active!), 'stuck', 'what looks like a host in the text');
  t.equal(verdict(pebs!, 'x'.repeat(20_000), '\n', active!), 'inconclusive', 'a line too long');
  t.equal(verdict(of('a', 'pebs', 1), of('b', 'active', 0)), 'inconclusive');
  t.equal(verdict(...stuck, of('a', 'pebs', 0), of('a', 'active', 0)), 'transient');
  t.equal(verdict(...stuck, of('b', 'pebs', 0), of('b', 'active', 0)), 'stuck');
});

t.test('statistics that tell of a loss take away what the trace proves', async (t) => {
  const trace =
    line(1, 'd..1.', 'kvm_entry: vcpu 0, rip 0xfff0') +
    line(2, 'd..1.', 'write_msr: 3f1, value 0') +
    line(3, 'd.Z1.', 'write_msr: 3f1, value 0') +
    line(4, 'd..1.', 'kvm_exit: vcpu 0 reason HLT rip 0xfff1 info1 0x0 info2 0x0') +
    line(5, 'd.h1.', 'read_msr: 3f1, value 1');
  const stats = (cpu: number, overrun: number): string =>
    `CPU: ${cpu}\nentries: 5\noverrun: ${overrun}\ncommit overrun: 0\ndropped events: 0\nread events: 5\n`;
  t.match(read(trace + stats(3, 0)).answer, { verdict: 'stuck', path: 'autoload' });
  t.match(read(trace + stats(4, 9)).answer, { verdict: 'stuck', path: 'autoload' });
  t.match(read(trace + stats(3, 9)).answer, { verdict: 'inconclusive', path: 'unknown' });
});

t.test('a reboot in the middle of a console heals nothing', async (t) => {
  const stuck = 'CPU#3: pebs:       0000000000000001\nCPU#3: active:     0000000000000000\n';
  const healed = stuck.replace('1\n', '0\n');
  const boot = '[    0.000000] Linux version 6.12.90 (build@host) (gcc 12) #1 SMP\n';
  const verdict = (text: string): string => read(text, { format: 'console' }).answer.verdict;
  t.equal(verdict(stuck + healed), 'transient');
  t.equal(verdict(stuck + boot + healed), 'stuck');
});

t.test('the class tells whether the code or the lab failed', async (t) => {
  const classOf = (text: string, format = 'auto'): string => read(text, { format }).answer.class;
  t.equal(classOf(twice('1')), 'code');
  t.equal(classOf(twice('0')), 'code', 'it was judged, and is fine');
  t.equal(classOf(twice('4', { second: '8' })), 'harness');
  t.equal(classOf('ok 1 a\nnot ok 2 b\n', 'ktap'), 'code');
  t.equal(classOf('ok 1 a\nnot ok 2 b # TIMEOUT 20 seconds\n', 'ktap'), 'harness');
  t.equal(classOf('ok 1 a # SKIP no PEBS\n', 'ktap'), 'not_applicable');
  t.equal(classOf('ok 1 a\n', 'ktap'), 'code');
});

t.test('what the machine lacks is said, and what to do next', async (t) => {
  const locked = read('rdmsr: open: Operation not permitted\n').answer;
  t.match(locked.preconditions, [/Line 1: .*not permitted/]);
  t.equal(locked.next, locked.preconditions[0]);
  t.equal(locked.verdict, 'inconclusive');
  const watchdog = 'SKIP pmu_lbr (/proc/sys/kernel/nmi_watchdog not equal to 0)\n';
  t.match(read(watchdog).answer.preconditions, [/nmi_watchdog=0/]);
  t.match(read(twice('1', { events: '2' })).answer.next, /Close all PEBS events/);
  t.match(read('cpu=3 3f1=0\n').answer.next, /two reads at least 2 s apart/);
  t.equal(read(twice('0')).answer.next, null);
  t.match(read(twice('1')).answer.next, /explanation/);
});

t.test('records arrive while the text is read', async (t) => {
  const lines: number[] = [];
  const reading = new Reading(
    { format: 'rdmsr' },
    {
      record: ({ line }) => {
        lines.push(line);
      },
    },
  );
  reading.write('cpu=0 3f1=0\ncpu=1 3f');
  t.strictSame(lines, [1]);
  reading.write('1=0\n');
  t.strictSame(lines, [1, 2]);
});

t.test('a record as JSON holds what the line says', async (t) => {
  const read = recordView(
    record(['reading', { cpu: 3, msr: 0x3f1, value: '1', known: 'ffffffff', at: '1.5' }], 7),
  );
  t.strictSame(read, {
    line: 7,
    kind: 'reading',
    cpu: 3,
    at: '1.5',
    context: 'unknown',
    msr: 'IA32_PEBS_ENABLE',
    value: '0x0000000000000001',
    known_mask: '0x00000000ffffffff',
  });
  t.match(
    recordView(record(['write', { msr: 0x1234, value: 'ffffffffffffffff', refused: true }], 1)),
    {
      cpu: null,
      msr: '0x1234',
      value: '0xffffffffffffffff',
      refused: true,
    },
  );
  t.match(recordView(record(['guest_access', { msr: 0x3f1, writes: true }], 1)), {
    access: 'write',
  });
  t.match(recordView(record(['test', { name: 'a', result: 'skip', text: 'why' }], 1)), {
    name: 'a',
    result: 'skip',
    text: 'why',
  });
});
