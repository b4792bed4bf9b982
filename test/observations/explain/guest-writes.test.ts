/** What guests write to their PMUs, as kvm_msr tells it. */
import t from 'tap';
import type { Path } from '../../../src/explorer/path.js';
import { Random } from '../../../src/explorer/prng.js';
import { toFtrace } from '../../../src/model/exports/ftrace.js';
import { recordingOfPath } from '../../../src/model/exports/of-path.js';
import type { MachineModel } from '../../../src/model/machine-model.js';
import type { WrmsrSpec } from '../../../src/model/world-spec.js';
import { ObservedRecord } from '../../../src/observations/record.js';
import { msrIndex, PEBS_ENABLE } from '../../../src/pmu/arch/msr.js';
import { recordingOf } from '../../../src/service/explanations/recorded.js';
import { present } from '../../pmu/machine.js';
import { modelOf, pebsGuest, pick, randomPath } from './random-runs.js';
import { explanationOf, recordsOf } from './recordings.js';

const KERNELS = ['linux-7.3.4', 'linux-7.2.6', 'linux-6.12.117', 'upstream-base'];
const CPU_MODEL = 'emerald-rapids';
const RUNS = 5;

/** What an exploration's path prints, but for marks. */
async function printed(model: MachineModel, path: Path): Promise<string> {
  const text = toFtrace(await recordingOfPath(model, { path, title: '' }, async () => {}));
  return text
    .split('\n')
    .filter((line) => /: (write_msr|kvm_entry|kvm_exit|kvm_msr): /.test(line))
    .join('\n');
}

/** As a guest's own perf writes them: several counters at once, and selectors. */
const WRITES: readonly WrmsrSpec[] = [
  { msr: 'IA32_PERF_GLOBAL_CTRL', value: '0x3' },
  { msr: 'IA32_PERF_GLOBAL_CTRL', value: '0x0' },
  { msr: 'IA32_PEBS_ENABLE', value: '0x3' },
  { msr: 'IA32_PEBS_ENABLE', value: '0x0' },
  { msr: 'IA32_PERFEVTSEL0', value: '0x53003c' },
  { msr: 'IA32_PERFEVTSEL0', value: '0x13003c' },
  { msr: 'IA32_DS_AREA', value: '0xffff88800004a000' },
];

/** What makes their recordings. */
const PEBS_GUEST = {
  events: [],
  vcpus: [pebsGuest(0, 1)],
  actors: [{ kind: 'guest_wrmsr' as const }],
};

async function recorded(seed: number, guest_writes?: readonly WrmsrSpec[], of?: string) {
  const dice = new Random(seed, 1);
  const kernel = of ?? pick(dice, KERNELS);
  const model = modelOf({
    cpu_model: CPU_MODEL,
    kernel,
    events: [],
    vcpus: [
      guest_writes ? pebsGuest(0, 1) : pick(dice, [pebsGuest(2), pebsGuest(0), pebsGuest(0, 1)]),
    ],
    actors: [{ kind: 'guest_wrmsr' }],
    ...(guest_writes && { guest_writes: [...guest_writes] }),
  });
  const text = await printed(model, randomPath(model, dice, 250));
  return { given: { kernel, cpu_model: CPU_MODEL }, text };
}

t.test('what a guest is recorded to write, the schedule writes', async (t) => {
  for (let seed = 0; seed < RUNS; seed += 1) {
    const { given, text } = await recorded(seed, seed % 2 === 0 ? undefined : WRITES);
    const writes = text.match(/kvm_msr: msr_write .*/g) ?? [];
    t.ok(writes.length > 0, `seed ${seed} has ${writes.length}`);
    const found = explanationOf(recordsOf(text), given);
    t.equal(found.verdict, 'explained', given.kernel);
    const skipped = [...found.run.skipped.keys()];
    t.notOk(
      skipped.some((what) => what.includes('guest')),
      'no write of the guest is skipped',
    );
    if (found.model === null) continue;
    const made = await printed(found.model as MachineModel, found.path);
    t.equal(bodies(made).slice(-bodies(text).length).join('\n'), bodies(text).join('\n'));
    t.comment(`${Math.round(found.millis)} ms, ${found.states} states`);
  }
});

/** Without times and tasks, what only an export knows of exits, and the addresses of perf's DS areas. */
function bodies(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => !line.includes('write_msr: 600,'))
    .map((line) => line.replace(/^.*?: (?=\w+: )/, '').replace(/ reason .*/, ''));
}

t.test(
  'a guest may have had a counter that it writes nothing of, wherever perf put it',
  async (t) => {
    const given = { kernel: 'linux-7.2.6', cpu_model: CPU_MODEL };
    for (const seed of [3, 4]) {
      const model = modelOf({
        ...given,
        events: [{ counter: 'PMC0', precise_ip: 2, sample_period: 100003, exclude_guest: true }],
        vcpus: [pebsGuest(2)],
        actors: [{ kind: 'guest_wrmsr' }],
        guest_writes: [{ msr: 'IA32_PERF_GLOBAL_CTRL', value: '0x1' }],
      });
      const text = await printed(model, randomPath(model, new Random(seed, 1), 60));
      t.equal(explanationOf(recordsOf(text), given).verdict, 'explained', `seed ${seed}`);
    }
  },
);

t.test('that a guest has an MSR tells of the kernel', async (t) => {
  const writes = [...WRITES.slice(0, 2), { msr: 'MSR_PEBS_DATA_CFG', value: '0x1' }];
  const { given, text } = await recorded(5, writes, 'linux-6.6');
  const first = text.split('\n').findIndex((line) => line.includes('msr_write 3f2')) + 1;
  t.ok(first > 0);
  const records = recordsOf(text);
  const found = explanationOf(records, given);
  t.equal(found.verdict, 'explained');
  t.notOk(found.run.skipped.has('guest_access of 0x3f2'));
  const other = explanationOf(records, { ...given, ...PEBS_GUEST, kernel: 'linux-6.12.27' });
  t.equal(other.verdict, 'unexplained');
  t.ok(other.run.lines[other.reached]! <= first);
});

/** A guest reads what it writes, and what it wrote before. */
function withReads(text: string): string {
  const written = new Map<string, string>();
  const lines = text.split('\n').flatMap((line) => {
    const [, msr, value] = /msr_write (\w+) = (\w+)$/.exec(line) ?? [];
    if (msr === undefined || value === undefined) return [line];
    written.set(msr, value);
    const reads = [...written].map(([of, held]) =>
      line.replace(/msr_write.*/, `msr_read ${of} = ${held}`),
    );
    return [line, ...reads];
  });
  return lines.join('\n');
}

t.test('a guest reads what it wrote', async (t) => {
  const { given, text } = await recorded(4, WRITES);
  const read = withReads(text);
  const readsOf = (records: readonly ObservedRecord[], of: number) =>
    records.filter(({ kind, writes, msr }) => kind === 'guest_access' && !writes && msr === of);
  const ofAddress = readsOf(recordsOf(read), 0x600).length;
  const right = explanationOf(recordsOf(read), given);
  t.equal(right.verdict, 'explained');
  t.ok(ofAddress > 0);
  t.equal(right.run.skipped.get('guest_access'), ofAddress, 'addresses are not kept');
  for (const msr of [0x38f, 0x3f1, 0x186]) {
    const records = recordsOf(read);
    const altered = present(readsOf(records, msr).at(-1), 'read');
    const { hi, lo } = present(altered.value ?? undefined, 'value');
    altered.value = { hi, lo: lo ^ (msr === 0x186 ? 1 << 22 : 1) };
    const known = { ...given, ...PEBS_GUEST };
    const wrong = explanationOf(records, known);
    t.equal(wrong.verdict, 'unexplained', msr.toString(16));
    t.equal(wrong.run.lines[wrong.reached], altered.line);
    const lost = new ObservedRecord(altered.line, 'loss');
    lost.cpu = 0;
    records.splice(records.indexOf(altered), 0, lost);
    t.equal(explanationOf(records, known).verdict, 'explained', 'what is lost may have changed it');
  }
});

t.test('a guest may have written on another CPU what it reads', async (t) => {
  const access = (cpu: number, said: string): string =>
    `       CPU 0/KVM-4200    [00${cpu}] .....     0.000001: kvm_msr: ${said}`;
  const text = [
    access(0, 'msr_write 3f1 = 0x1'),
    access(0, 'msr_read 3f1 = 0x1'),
    access(1, 'msr_write 3f1 = 0x2'),
    access(0, 'msr_read 3f1 = 0x2'),
  ].join('\n');
  async function* pieces() {
    yield recordsOf(text).map((record) => ({ record, line: record.line }));
  }
  for (const cpu of [0, undefined]) {
    const found = await recordingOf(pieces(), { cpu, firstLine: 1, lastLine: 4 });
    t.equal(found?.run.symbols.length, 2);
    t.equal(found?.run.skipped.get('guest_access'), 1);
  }
});

t.test('what follows from another value is not what is recorded', async (t) => {
  const { given, text } = await recorded(3, WRITES);
  // The guest goes on to count, where it stopped.
  const records = recordsOf(text.replace('msr_write 38f = 0x0', 'msr_write 38f = 0x3'));
  const found = explanationOf(records, { ...given, ...PEBS_GUEST });
  t.equal(found.verdict, 'unexplained');
});

t.test('one that no kernel takes is the first that no schedule reaches', async (t) => {
  const { given, text } = await recorded(1);
  const records = recordsOf(text);
  const altered = records.filter(({ kind }) => kind === 'guest_access').at(-1)!;
  const before = altered.value;
  altered.value = { hi: before!.hi, lo: (before!.lo | 0x0800_0000) >>> 0 };
  const found = explanationOf(records, given);
  t.equal(found.verdict, 'unexplained');
  t.equal(found.run.lines[found.reached], altered.line);
});

t.test('what changes nothing that KVM acts on is skipped', async (t) => {
  const { given, text } = await recorded(2);
  const access = (said: string): string =>
    `       CPU 0/KVM-4200    [000] .....     0.000001: kvm_msr: ${said}`;
  const more = [
    access('msr_read 3f1 = 0x1'),
    access('msr_write c1 = 0x0'),
    access(`msr_write ${msrIndex(PEBS_ENABLE).toString(16)} = 0xffffffffffffffff (#GP)`),
  ];
  const found = explanationOf(recordsOf([...more, text].join('\n')), given);
  t.equal(found.verdict, 'explained');
  t.equal(found.run.skipped.get('guest_access'), 2);
  t.equal(found.run.skipped.get('guest_access of 0xc1'), 1);
});
