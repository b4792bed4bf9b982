/** A machine that forgets how often perf used the places of its list, beside one that does not. */
import t from 'tap';
import { follow } from '../../../src/explorer/follow.js';
import { expandInto, successorsFor } from '../../../src/explorer/model.js';
import { MISSING } from '../../../src/explorer/observation.js';
import { initialState } from '../../../src/explorer/path.js';
import { Random } from '../../../src/explorer/prng.js';
import { exploredWorld } from '../../../src/model/explored-world.js';
import { followRecording } from '../../../src/model/recordings/follow-recording.js';
import { ObservedMachine } from '../../../src/model/recordings/observed-machine.js';
import { OneRun } from '../../../src/model/recordings/one-run.js';
import { Symbols } from '../../../src/model/recordings/symbols.js';
import type { EventSpec, VcpuSpec, WorldSpec } from '../../../src/model/world-spec.js';
import { cluesOf } from '../../../src/observations/explain/clues.js';
import { RunRecorder } from '../../../src/observations/explain/recorded-run.js';
import { candidatesOf } from '../../../src/observations/explain/worlds.js';
import { ObservedRecord } from '../../../src/observations/record.js';
import { findCpuModel } from '../../../src/pmu/arch/cpu-models.js';
import { findKernel } from '../../../src/pmu/kernels/index.js';
import { answerUses } from '../../../src/pmu/machine/forget.js';
import { ACTIVE } from '../../../src/pmu/perf/perf-event.js';
import { present } from '../../pmu/machine.js';
import { modelOf, pebsGuest, pick, randomPath, randomWorld, tracedText } from './random-runs.js';
import { explanationOf, recordsOf, textOfWrites, type Write } from './recordings.js';

const KERNELS = ['linux-7.3.4', 'linux-7.2.6', 'linux-6.12.117', 'upstream-base'];
const PERIOD = 100003;
const PEBS: EventSpec = { counter: 'PMC0', precise_ip: 2, sample_period: PERIOD };
const PLAIN: EventSpec = { counter: 'PMC1', sample_period: PERIOD };
const EVENTS: readonly EventSpec[][] = [
  [PEBS],
  [PEBS, PLAIN],
  [
    { ...PLAIN, name: 'e0' },
    { ...PEBS, group_leader: 'e0' },
  ],
];

const GUESTS = [pebsGuest(2), pebsGuest(2, 3), pebsGuest(2, 3, 4)];

function machineOf(dice: Random, guests: readonly VcpuSpec[], symbols: Symbols): ObservedMachine {
  const actors = [
    'event_add',
    'event_del',
    'event_enable',
    'event_disable',
    'guest_wrmsr',
  ] as const;
  const spec: WorldSpec = {
    cpu_model: 'emerald-rapids',
    kernel: pick(dice, KERNELS),
    events: pick(dice, EVENTS),
    vcpus: [pick(dice, guests)],
    actors: actors.map((kind) => ({ kind })),
    nmi_timing: 'late',
  };
  symbols.showsRuns = true;
  return new ObservedMachine(exploredWorld(spec), symbols);
}

/** The steps of a state: label, what it shows, and the state after it. */
function stepsOf(machine: ObservedMachine, state: Int32Array) {
  const out = successorsFor(machine, 1);
  machine.expects(Int32Array.of(MISSING), 0);
  expandInto(machine, state, 0, out);
  const shown = new Int32Array(256);
  return Array.from({ length: out.count }, (_, nth) => ({
    label: out.labels[nth]!,
    shows: String(shown.subarray(0, machine.emits(nth, shown))),
    state: out.words.slice(nth * machine.words, (nth + 1) * machine.words),
  }));
}

/** Whether a state of the forgetful machine stands for a state of the exact one, among others. */
function standsFor(machine: ObservedMachine, forgetful: Int32Array, exact: Int32Array): boolean {
  const [one, other] = [forgetful, exact].map((words) => machine.unpacked(words));
  machine.forgetting.forget(other!.state);
  const { events } = one!.state;
  // What it does not know is as it may be.
  for (const [at, { tag, status }] of events.entries()) {
    const actual = other!.state.events[at]!.tag;
    const isUnknown = status >= ACTIVE && tag === UNKNOWN && actual !== UNKNOWN;
    const isLatest = actual === 0;
    if (isUnknown) answerUses(one!.state, 1 << at, isLatest ? 1 << at : 0);
  }
  const packed = [one!, other!].map(({ state, spent }) => {
    const words = new Int32Array(machine.words);
    machine.layout.pack(state, spent, words, 0);
    return String(words);
  });
  return packed[0] === packed[1];
}

/** More than any tag on one CPU. */
const UNKNOWN = 8;
const WALKS = 16;
const STEPS = 250;

t.test('whatever a machine does, the one that forgets does as well', async (t) => {
  let guesses = 0;
  for (let seed = 0; seed < WALKS; seed += 1) {
    const dice = new Random(seed, 1);
    const machine = machineOf(dice, GUESTS, new Symbols());
    const { exact } = machine;
    t.ok(machine.forgets, 'there is something to forget');
    let [forgetful, state] = [initialState(machine), initialState(exact)];
    let isFollowed = true;
    for (let nth = 0; nth < STEPS && isFollowed; nth += 1) {
      const steps = stepsOf(exact, state);
      const step = dice.below(2) === 0 ? steps[0]! : pick(dice, steps);
      const others = stepsOf(machine, forgetful);
      const labels = new Set(others.map(({ label }) => label));
      const same = others.find(
        (other) =>
          other.label === step.label &&
          other.shows === step.shows &&
          standsFor(machine, other.state, step.state),
      );
      isFollowed = same !== undefined && labels.size === steps.length;
      state = step.state;
      forgetful = same?.state ?? forgetful;
    }
    t.ok(isFollowed, `walk ${seed}`);
    guesses += machine.guesses;
  }
  t.ok(guesses > 0, `it had to guess ${guesses} times`);
});

/** By hand 300. */
const RECORDINGS = 20;
const LIMITS = { limits: { statesMax: 20_000 } };

t.test(
  'verdicts and shortest schedules are those of the machine that forgets nothing',
  async (t) => {
    const verdicts = new Map<string, number>();
    let guesses = 0;
    for (let seed = 0; seed < RECORDINGS; seed += 1) {
      const dice = new Random(seed, 2);
      const machine = machineOf(dice, GUESTS, new Symbols());
      const { exact } = machine;
      const recording = recordingOf(exact, dice);
      const found = followRecording(machine, recording, () => LIMITS);
      const wanted = follow(exact, recording, LIMITS);
      guesses += machine.guesses;
      const both = `${wanted.verdict}, ${found.verdict}`;
      verdicts.set(both, (verdicts.get(both) ?? 0) + 1);
      const run = new OneRun(exact, initialState(exact), found.path);
      t.ok(
        follow(run, recording, { limits: {} }).position >= found.position,
        `${seed}: it is a run`,
      );
      if (wanted.verdict === 'undecided') continue;
      t.equal(found.verdict, wanted.verdict, `${seed}: ${wanted.verdict}`);
      t.equal(found.position, wanted.position);
      t.same(new Set(found.instead), new Set(wanted.instead));
      if (wanted.verdict === 'explained') t.equal(found.path.length, wanted.path.length);
      t.ok(found.states <= wanted.states || machine.guesses > 0, 'and takes no more states');
    }
    t.comment([...verdicts].map(([both, count]) => `${both}: ${count}`).join('; '), guesses);
  },
);

/** What a random run shows, with a few symbols left out, and here and there one that was made elsewhere. */
function recordingOf(exact: ObservedMachine, dice: Random): Int32Array {
  const shown: number[] = [];
  let state = initialState(exact);
  while (shown.length < 40) {
    const steps = stepsOf(exact, state);
    const step = dice.below(2) === 0 ? steps[0]! : pick(dice, steps);
    if (step.shows !== '') shown.push(...step.shows.split(',').map(Number));
    state = step.state;
  }
  const [from, count] = [dice.below(shown.length), dice.below(4)];
  if (dice.below(2) === 0) shown.splice(from, count, MISSING);
  if (dice.below(2) === 0) shown[dice.below(shown.length)] = pick(dice, shown);
  return Int32Array.from(shown);
}

t.test('where a recording leaves everything open, it has few states', async (t) => {
  const symbols = new Symbols();
  symbols.showsRuns = true;
  const actors = ['event_add', 'event_del', 'event_enable', 'event_disable'] as const;
  const spec: WorldSpec = {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.2.6',
    events: [PEBS],
    vcpus: [pebsGuest(2)],
    actors: actors.map((kind) => ({ kind })),
    nmi_timing: 'late',
  };
  const machine = new ObservedMachine(exploredWorld(spec), symbols);
  // Nothing makes the second symbol.
  const recording = Int32Array.of(MISSING, symbols.nmi());
  const few = follow(machine, recording, { limits: {} });
  const all = follow(machine.exact, recording, { limits: {} });
  t.equal(few.verdict, all.verdict);
  t.ok(few.states < all.states / 12, `${few.states} of ${all.states}`);
});

/** A run of a host with events of its own and a guest that has PEBS on its first counter. */
async function recorded(seed: number) {
  const dice = new Random(seed, 7);
  const kernel = pick(dice, KERNELS);
  const world = { ...randomWorld(dice, 'emerald-rapids', kernel), vcpus: [pebsGuest(0)] };
  const model = modelOf(world);
  const records = recordsOf(await tracedText(model, randomPath(model, dice, 150)));
  return { world, records, dice, known: { kernel, cpu_model: 'emerald-rapids' } };
}

/** The same with up to a third of its records lost. */
async function lossy(seed: number) {
  const { records, dice, known } = await recorded(seed);
  const first = dice.below(records.length);
  const lost = new ObservedRecord(records[first]!.line, 'loss');
  lost.cpu = 0;
  records.splice(first, 1 + dice.below(Math.ceil(records.length / 3)), lost);
  return { records, known, after: records.slice(first + 1) };
}

t.test('a recording of guest PEBS with a declared loss is decided', async (t) => {
  const { records, known } = await lossy(3);
  const found = explanationOf(records, known);
  t.equal(found.verdict, 'explained');
  t.comment(`${Math.round(found.millis)} ms, ${found.states} states`);
});

t.test('where it has a value that no CPU can have, it is unexplained as quickly', async (t) => {
  const { records, known, after } = await lossy(46);
  const altered = after.find(({ kind, msr }) => kind === 'write' && msr === 0x38f)!;
  const { hi, lo } = present(altered.value ?? undefined, 'value');
  altered.value = { hi, lo: (lo | 0x0800_0000) >>> 0 };
  const found = explanationOf(records, known);
  t.equal(found.verdict, 'unexplained');
  t.equal(found.run.lines[found.reached], altered.line);
  t.ok(found.states < 10_000, `${found.states} states`);
  t.match(found.inference.at(-1), 'the CPU cannot have the value');
  t.ok(found.instead.length > 0, 'with what could have been written');
});

t.test("a guest's event may move to a counter that the host's had", async (t) => {
  const { records, known } = await lossy(106);
  const found = explanationOf(records, known);
  t.equal(found.verdict, 'explained');
  t.match(found.inference[0], 'its guest has PMC0, PMC2 in turn, as its PMC0');
});

t.test('a guest may have another counter than perf gives it', async (t) => {
  const { records, known } = await recorded(7);
  const found = explanationOf(records, known);
  t.equal(found.verdict, 'explained');
  t.match(found.inference[0], 'its guest has PMC2, as its PMC0');
  t.comment(`${Math.round(found.millis)} ms, ${found.states} states`);
});

t.test('what overflows before the guest is entered may be found behind it', async (t) => {
  const { records, known, world } = await recorded(0);
  const { events = [], vcpus = [], actors = [] } = world;
  const found = explanationOf(records, { ...known, events, vcpus, actors });
  t.equal(found.verdict, 'explained');
});

t.test('records may be those of an event that nothing stopped', async (t) => {
  const { run, symbols } = runOf([
    ['IA32_PERF_GLOBAL_STATUS_RESET', '0x4000000000000000', 'nmi'],
    ['IA32_PEBS_ENABLE', '0x4'],
    ['IA32_PERF_GLOBAL_CTRL', '0x1000f000000fb'],
  ]);
  const told = candidatesFor(run.symbols, symbols).flatMap(({ inference }) => inference);
  t.ok(told.some((line) => /on PMC0: precise, .*exclude_guest/.test(line)));
});

t.test('a guest may have PEBS also where no bit of IA32_PEBS_ENABLE tells of it', async (t) => {
  const { run, symbols } = runOf([
    ['IA32_PERF_GLOBAL_STATUS_RESET', '0x4000000000000000', 'nmi'],
    ['IA32_PERF_GLOBAL_CTRL', '0x1000f000000fe'],
  ]);
  const guests = candidatesFor(run.symbols, symbols).map(({ machine }) =>
    JSON.stringify(machine.explored.spec.vcpus),
  );
  const withPebs = guests.filter((guest) => guest.includes('IA32_PEBS_ENABLE'));
  t.ok(withPebs.length > 0 && withPebs.length < guests.length, `${withPebs.length}`);
});

function candidatesFor(recording: Int32Array, symbols: Symbols) {
  const known = { kernel: 'linux-7.3.4', cpu_model: 'emerald-rapids' };
  const candidates = candidatesOf(
    known,
    present(findKernel(known.kernel), 'kernel'),
    present(findCpuModel(known.cpu_model), 'model'),
    { clues: cluesOf(recording, symbols), vcpus: 1, symbols, guestWrites: [] },
    ['at_rest'],
    false,
  );
  return [...candidates];
}

function runOf(writes: readonly Write[]) {
  const symbols = new Symbols();
  const recorder = new RunRecorder(symbols);
  for (const record of recordsOf(textOfWrites(writes))) recorder.take(record);
  return { run: recorder.run, symbols };
}
