/** The fast way of reading a trace says what the careful one says, also of lines that are not quite as they should be. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { MAX_LINE_LENGTH, Piece } from '../../src/observations/lines.js';
import { makeFtraceReader } from '../../src/observations/readers/ftrace.js';
import { CommonLines } from '../../src/observations/readers/ftrace-common-lines.js';
import { Decoding } from '../../src/service/observations/text-pieces.js';
import { capture } from './captures.js';
import { readPieces, readText } from './read-text.js';

const EVENTS = [
  'write_msr: 3f1, value 0',
  'write_msr: c0000080, value 8000000300000001',
  'read_msr:             38f, value f000000ff',
  'kvm_entry: vcpu 0, rip 0xfff0',
  'kvm_entry: vcpu 3, rip 0xfff0[immediate exit]',
  'kvm_entry: vcpu 11, rip 0xffffffff81000aa0 intr_info 0x800000ec error_code 0x00000000',
  'kvm_exit: vcpu 0 reason EPT_VIOLATION rip 0xfff1 info1 0x0000000000000181 info2 0x0000000000000000 intr_info 0x00000000 error_code 0x00000000',
  'kvm_exit: vcpu 0 reason HLT rip 0xfff1 info1 0x0 info2 0x0 intr_info 0x0 error_code 0x0 requests 0x0000000000000004',
  'kvm_exit: reason HLT rip 0xfff1',
  'nmi_handler: perf_event_nmi_handler() delta_ns: 2117 handled: 1',
  'kvm_pio: pio_write at 0x3f8 size 1 count 1 val 0x41',
  'tracing_mark_write: vm_exit_load: 3f1, value 1',
];
/** Events that are left to the careful reader. */
const ODD_EVENTS = [
  'kvm_msr: msr_write 3f1 = 0x1',
  'write_msr: 3f1, value 0 #GP',
  'kernel_stack: <stack trace >',
  'foo: [ 1.000000] perf: interrupt took too long (2 > 1), lowering kernel.perf_event_max_sample_rate to 7',
];
const HEADS = [
  '       CPU 0/KVM-4242    [003] d..1.   900.100002: ',
  '          <idle>-0       [011] dNh1.    31.831905: ',
  ' multi-word name-77      [001] d.Z1. 12345.000001: ',
  '     kworker/1:3-1234567 [127] .....     0.000000: ',
  '       CPU 0/KVM-4242    [003] d..1   900.100002: ',
  '       CPU 1/KVM-7001    [011] d..Z1..    31.831905: ',
  '       CPU 0/KVM-4201    (   4200) [001] d..1.  1000.000038: ',
  '       CPU 0/KVM-1716729 [003] 211579.860340: ',
  '       CPU 0/KVM-4242    [003] d..1. 18446744073709551615: ',
];

/** Lines of the common shape, most of them with a letter changed, removed or put in. */
const lines = fc
  .tuple(
    fc.constantFrom(...HEADS),
    fc.constantFrom(...EVENTS, ...ODD_EVENTS),
    fc.array(
      fc.tuple(
        fc.nat({ max: 200 }),
        fc.constantFrom('', ...' 0123456789abcdefxzZ.-:,[]#>/=A_\t\r'),
        fc.constantFrom(0, 1),
      ),
      { maxLength: 1 },
    ),
  )
  .map(([head, event, changes]) =>
    changes.reduce((line, [place, letter, removed]) => {
      const at = place % line.length;
      return line.slice(0, at) + letter + line.slice(at + removed);
    }, head + event),
  );

const FIRST = '# tracer: nop\n';

/** As the service decodes them. */
function decoded(pieces: readonly Buffer[]): (string | Piece)[] {
  const decoding = new Decoding();
  return pieces.flatMap((piece) => [...decoding.decode(piece, piece.length)]);
}

t.test('of what is read fast, the careful reader says the same', async () => {
  fc.assert(
    fc.property(fc.array(lines, { minLength: 1, maxLength: 40 }), (texts) => {
      const text = `${FIRST}${texts.join('\n')}\n`;
      const fast = readPieces(makeFtraceReader, decoded([Buffer.from(text)]));
      return isDeepStrictEqual(fast, readText(makeFtraceReader, text));
    }),
    { numRuns: 1000 },
  );
});

t.test('a line that is too long is rejected in both ways', async (t) => {
  const long = `${HEADS[0]}kvm_pio: ${'x'.repeat(MAX_LINE_LENGTH)}`;
  const text = `${FIRST}${HEADS[0]}${EVENTS[0]}\n${long}\n${HEADS[0]}${EVENTS[1]}\n`;
  const fast = readPieces(makeFtraceReader, decoded([Buffer.from(text)]));
  t.strictSame(fast, readText(makeFtraceReader, text));
  t.strictSame(fast.rejected, [{ line: 3, reason: 'too long' }]);
});

t.test('the common lines are read fast, once one of their shape was seen', async (t) => {
  const isFast = (line: string) => {
    const text = `${line}\n`;
    const common = new CommonLines();
    common.learn(line);
    return common.read(new Piece(Buffer.from(text), () => text), 0, 1) === text.length;
  };
  for (const head of HEADS) {
    for (const event of EVENTS) t.ok(isFast(head + event), head + event);
    for (const event of ODD_EVENTS) t.notOk(isFast(head + event), head + event);
  }
});

t.test('pieces may be cut anywhere, also in a letter of several bytes', async (t) => {
  const text = `${capture('ftrace-trace-header.txt')}${HEADS[0]!.replace('CPU', 'CPÜ')}${EVENTS[0]}\n${HEADS[0]}${EVENTS[1]}\n`;
  const bytes = Buffer.from(text);
  const whole = readText(makeFtraceReader, text);
  t.equal(whole.records.length, 10);
  const wrong: number[] = [];
  for (let at = 0; at <= bytes.length; at += 1) {
    const pieces = decoded([bytes.subarray(0, at), bytes.subarray(at)]);
    if (!isDeepStrictEqual(readPieces(makeFtraceReader, pieces), whole)) wrong.push(at);
  }
  t.strictSame(wrong, []);
});
