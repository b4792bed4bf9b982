/** What a recording says of the machine at a place: readings, and what perf throttles. */
import t from 'tap';
import type { Explained } from './recordings.js';
import { explanationOf, recordsOf, textOfWrites, type Write } from './recordings.js';

const GIVEN = { kernel: 'linux-7.3.4', cpu_model: 'emerald-rapids' };
const ON = '0x1000f000000ff';

/** One event with PEBS is opened, with a wish for MSR_PEBS_DATA_CFG unless that is what is there. */
function opened(cfg?: string): Write[] {
  return [
    ['IA32_PERF_GLOBAL_CTRL', '0x0'],
    ...(cfg === undefined ? [] : [['MSR_PEBS_DATA_CFG', cfg] as const]),
    ['IA32_PERFEVTSEL0', '0x400430080'],
    ['IA32_PEBS_ENABLE', '0x1'],
    ['IA32_PERF_GLOBAL_CTRL', ON],
  ];
}

const CLOSED: readonly Write[] = [
  ['IA32_PERF_GLOBAL_CTRL', '0x0'],
  ['IA32_PEBS_ENABLE', '0x0'],
  ['IA32_PERFEVTSEL0', '0x400030080'],
  ['IA32_PERF_GLOBAL_CTRL', ON],
];

const OVERFLOW: readonly Write[] = [
  ['IA32_PERF_GLOBAL_CTRL', '0x0', 'nmi'],
  ['IA32_PERF_GLOBAL_STATUS_RESET', '0x4000000000000000', 'nmi'],
];
const THROTTLED: readonly Write[] = [
  ['IA32_PERFEVTSEL0', '0x400030080', 'nmi'],
  ['IA32_PEBS_ENABLE', '0x0', 'nmi'],
];
const NMI_END: readonly Write[] = [['IA32_PERF_GLOBAL_CTRL', ON, 'nmi']];

const reading = (index: string, value: string): string =>
  `            perf-2000    [000] d..1.     1.000000: read_msr: ${index}, value ${value}`;
const THROTTLE = '            perf-2000    [000] d.Z1.     1.000000: throttle: ';

function explained(...parts: (string | readonly Write[])[]): Explained {
  const lines = parts.map((part) => (typeof part === 'string' ? part : textOfWrites(part)));
  return explanationOf(recordsOf(lines.join('\n')), GIVEN);
}

t.test('a register that is read holds what the machine wrote', async (t) => {
  const right = explained(opened(), reading('3f1', '1'), CLOSED, reading('3f1', '0'));
  t.equal(right.verdict, 'explained');
  t.equal(right.reached, 10, 'readings are followed');
  const wrong = explained(opened(), reading('3f1', '1'), CLOSED, reading('3f1', '1'));
  t.equal(wrong.verdict, 'unexplained');
  t.match(wrong, { reached: 9, instead: [{ what: 'reading', value: { hi: 0, lo: 0 } }] });
  t.equal(explained(opened(), reading('38f', '1000f000000ff')).verdict, 'explained');
  t.equal(explained(opened(), reading('38f', '0')).reached, 4);
});

t.test('a reading in the middle of a section', async (t) => {
  const [off, ...others] = CLOSED;
  t.equal(explained(opened(), [off!], reading('3f1', '1'), others).verdict, 'explained');
  const [pebs, ...rest] = others;
  t.equal(explained(opened(), [off!, pebs!], reading('3f1', '1'), rest).reached, 6);
});

t.test('records lost before a reading', async (t) => {
  t.equal(explained(opened(), 'CPU:0 [LOST 9 EVENTS]', reading('3f1', '0')).verdict, 'explained');
});

t.test('what perf says it throttles is throttled', async (t) => {
  const right = explained(opened(), OVERFLOW, THROTTLE, THROTTLED, NMI_END);
  t.equal(right.verdict, 'explained');
  t.equal(right.reached, 10);
  const wrong = explained(opened(), OVERFLOW, THROTTLE, NMI_END);
  t.match(wrong, { verdict: 'unexplained', reached: 7 });
});

t.test('an event that comes back on its counter with another configuration', async (t) => {
  for (const cfg of ['0x2', '0x7', '0x0']) {
    t.equal(explained(opened('0x5'), CLOSED, opened(cfg), CLOSED).verdict, 'explained', cfg);
  }
});
