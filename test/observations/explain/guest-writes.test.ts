/** What guests write to their PMUs, as kvm_msr tells it. */
import t from 'tap';
import type { Path } from '../../../src/explorer/path.js';
import { Random } from '../../../src/explorer/prng.js';
import { toFtrace } from '../../../src/model/exports/ftrace.js';
import { recordingOfPath } from '../../../src/model/exports/of-path.js';
import type { MachineModel } from '../../../src/model/machine-model.js';
import type { WrmsrSpec } from '../../../src/model/world-spec.js';
import { msrIndex, PEBS_ENABLE } from '../../../src/pmu/arch/msr.js';
import { modelOf, pebsGuest, pick, randomPath } from './random-runs.js';
import { explanationOf, recordsOf } from './recordings.js';

const KERNELS = ['linux-7.3.4', 'linux-7.2.6', 'linux-6.12.117', 'upstream-base'];
const CPU_MODEL = 'emerald-rapids';
const RUNS = 8;

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
];

async function recorded(seed: number, guest_writes?: readonly WrmsrSpec[]) {
  const dice = new Random(seed, 1);
  const kernel = pick(dice, KERNELS);
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

/** Without times and tasks, and without what only an export knows of exits. */
function bodies(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/^.*?: (?=\w+: )/, '').replace(/ reason .*/, ''));
}

t.test('what follows from another value is not what is recorded', async (t) => {
  const { given, text } = await recorded(3, WRITES);
  // The guest goes on to count, where it stopped.
  const records = recordsOf(text.replace('msr_write 38f = 0x0', 'msr_write 38f = 0x3'));
  const actors = [{ kind: 'guest_wrmsr' as const }];
  const found = explanationOf(records, { ...given, events: [], vcpus: [pebsGuest(0, 1)], actors });
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
