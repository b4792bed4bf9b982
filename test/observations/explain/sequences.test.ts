/** Random sequences of host-side actions as Linux's own code wrote them, as recordings: each is one of its kernel. */
import t from 'tap';
import { sequencesOf } from '../../pmu/host-sequences.js';
import { explanationOf, recordsOf, textOfWrites } from './recordings.js';

/** Every so many of them; by hand 1. */
const EVERY = 60;

function explains(file: string, kernel: string, from: number): void {
  t.test(`${file} as recordings of ${kernel}`, async (t) => {
    const some = sequencesOf(file).filter((_, at) => at % EVERY === from % EVERY);
    t.ok(some.length > 0, 'there are some');
    for (const { id, cpu_model, steps } of some) {
      const records = recordsOf(steps.map(({ writes }) => textOfWrites(writes)).join('\n'));
      if (records.length === 0) continue;
      t.equal(explanationOf(records, { kernel, cpu_model }).verdict, 'explained', id);
    }
  });
}

explains('host-sequences-linux-6.1.192', 'linux-6.1.192', 0);
explains('host-sequences-linux-6.12.117', 'linux-6.12.117', 7);
// Linux 7.3.4 wrote the same.
explains('host-sequences-linux-6.12.117', 'linux-7.3.4', 12);
explains('host-groups-linux-7.3.4', 'linux-7.3.4', 4);

/** As perf writes with perfmon 6 and architectural PEBS: MSRs of one counter stand together, and bit 54 says that there are records. */
const ARCH_PEBS: readonly (readonly string[])[] = [
  ['38f', '0'],
  ['3f5', '1100000000'],
  ['1903', '80000000fffe795d'],
  ['1901', '430080'],
  ['38f', '1000f000003ff'],
  ['38f', '0', 'nmi'],
  ['390', '40000000000000', 'nmi'],
  ['3f5', '1100000000', 'nmi'],
  ['38f', '1000f000003ff', 'nmi'],
  ['38f', '0'],
  ['1901', '30080'],
  ['1901', '430080'],
  ['1907', '80000000fffe795d'],
  ['1905', '430081'],
  ['38f', '1000f000003ff'],
];

t.test('architectural PEBS', async (t) => {
  const textOf = (writes: readonly (readonly string[])[]): string =>
    writes
      .map(([index, value, by]) => {
        const flags = by === 'nmi' ? 'd.Z1.' : 'd..1.';
        return `            perf-2000    [000] ${flags}     1.000000: write_msr: ${index}, value ${value}`;
      })
      .join('\n');
  const given = { kernel: 'linux-7.3.4', cpu_model: 'diamond-rapids' };
  const found = explanationOf(recordsOf(textOf(ARCH_PEBS)), given);
  t.equal(found.verdict, 'explained');
  t.ok(found.inference.some((said) => /^event e0 on PMC0: precise/.test(said)));
  t.ok(found.inference.some((said) => /^event e1 on PMC1: precise/.test(said)));
  const off = ARCH_PEBS.with(13, ['1905', '30081']);
  const none = explanationOf(recordsOf(textOf(off)), { ...given, vcpus: [] });
  t.equal(none.verdict, 'unexplained');
  t.equal(none.run.lines[none.reached], 14);
});

t.test(
  'what is not of the counters is in the status too, and perf acknowledges all of it',
  async (t) => {
    const ENABLED = ['IA32_PERF_GLOBAL_CTRL', '0x1000f000000ff'] as const;
    const text = textOfWrites([
      ['IA32_PERF_GLOBAL_CTRL', '0x0'],
      ['IA32_PERFEVTSEL0', '0x5300c0'],
      ENABLED,
      // Intel PT has filled a buffer, alone and while a counter has overflowed.
      ['IA32_PERF_GLOBAL_CTRL', '0x0', 'nmi'],
      ['IA32_PERF_GLOBAL_STATUS_RESET', '0x80000000000000', 'nmi'],
      [...ENABLED, 'nmi'],
      ['IA32_PERF_GLOBAL_CTRL', '0x0', 'nmi'],
      ['IA32_PERF_GLOBAL_STATUS_RESET', '0x80000000000001', 'nmi'],
      [...ENABLED, 'nmi'],
    ]);
    const found = explanationOf(recordsOf(text), {
      kernel: 'linux-7.3.4',
      cpu_model: 'emerald-rapids',
    });
    t.equal(found.verdict, 'explained');
  },
);
