// How long a search will still take: nothing until something can be said, and then the truth.
import t from 'tap';
import { breadthFirst } from '../../src/explorer/bfs.js';
import { Budget } from '../../src/explorer/budget.js';
import { estimateMillisLeft } from '../../src/explorer/estimate.js';
import { Gauge, type GaugeReading } from '../../src/explorer/gauge.js';
import { createModel } from '../../src/model/machine-model.js';

const READING: GaugeReading = {
  states: 0,
  transitions: 0,
  frontier: 0,
  bytes: 0,
  depth: 0,
  done: 0,
  total: 0,
  widths: [],
};

t.test('nothing is said while levels grow, of a single dip, or without a rate', async (t) => {
  const growing = { ...READING, states: 1000, widths: [1, 2, 4, 8, 16, 32] };
  t.equal(estimateMillisLeft(growing, 10), null);
  const dip = { ...READING, states: 1000, widths: [10, 20, 40, 30, 45, 60] };
  t.equal(estimateMillisLeft(dip, 10), null);
  const falling = { ...READING, states: 1000, widths: [10, 50, 100, 100, 50, 10, 5, 2] };
  t.ok(estimateMillisLeft(falling, 10));
  t.equal(estimateMillisLeft(falling, 0), null);
  t.equal(estimateMillisLeft(falling, Number.NaN), null);
});

t.test('a task of known size has a band that narrows', async (t) => {
  const left = (done: number) => estimateMillisLeft({ ...READING, done, total: 400 }, 10);
  t.same(left(100), { likely: 30, low: 27, high: 33 });
  t.ok((left(300)?.high ?? 0) / (left(300)?.low ?? 1) < 33 / 27);
});

/** The widths of the levels of the main race scaled up, and how many states it has. */
function levelsOf(events: number, vcpus: number, kinds: readonly string[], more: object) {
  const model = {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.2.6',
    events: ['PMC0', 'PMC1', 'PMC2', 'PMC3']
      .slice(0, events)
      .map((counter) => ({ counter, precise_ip: 2, exclude_guest: true })),
    vcpus: Array.from({ length: vcpus }, () => ({})),
    actors: kinds.map((kind) => ({ kind })),
    ...more,
  };
  const { levels, distinctStates } = breadthFirst({
    model: createModel({ model, properties: ['I1'] } as Parameters<typeof createModel>[0]),
    fold: false,
    limits: {},
    stopAtFirstViolation: false,
    statesExpected: 0,
    budget: new Budget({}),
    gauge: new Gauge(),
    share: { index: 0, of: 1 },
    exchange: null,
    kept: null,
  });
  const { starts, count } = levels as NonNullable<typeof levels>;
  const widths = starts.map((start, depth) => (starts[depth + 1] ?? count) - start);
  return { widths: widths.filter((width) => width > 0), states: distinctStates as number };
}

const ACTORS = {
  tick: ['nmi_throttle', 'tick'],
  foreign: ['nmi_throttle', 'foreign_nmi', 'tick'],
  enabled: ['nmi_throttle', 'event_enable', 'event_disable'],
  section: ['nmi_throttle', 'tick', 'pmu_section'],
};

t.test(
  'from 20 % on, in four of five scaled worlds the truth always lies in the band',
  async (t) => {
    const verdicts: boolean[] = [];
    for (const [events, vcpus] of [
      [2, 2],
      [3, 1],
      [4, 1],
    ] as const) {
      for (const [name, actors] of Object.entries(ACTORS)) {
        for (const more of [{ nmi_timing: 'prompt' }, { nmi_timing: 'late' }]) {
          if (events === 4 && (more.nmi_timing === 'late' || name === 'enabled')) continue;
          const { widths, states } = levelsOf(events, vcpus, actors, more);
          let found = 0;
          let shown = 0;
          let within = 0;
          for (const [depth, width] of widths.entries()) {
            found += width;
            if (found < states / 5) continue;
            const reading = { states: found, frontier: width, widths: widths.slice(0, depth + 1) };
            // One state a millisecond, so that time is states.
            const left = estimateMillisLeft({ ...READING, ...reading }, 1);
            if (left === null) continue;
            const truth = width + states - found;
            shown += 1;
            if (left.low <= truth && truth <= left.high) within += 1;
          }
          t.comment(
            `${events} events, ${vcpus} vCPUs, ${name}, ${more.nmi_timing}: ${states} states, in the band ${within} of ${shown}`,
          );
          if (shown > 0) verdicts.push(within === shown);
        }
      }
    }
    const good = verdicts.filter((all) => all).length;
    t.ok(verdicts.length >= 12, `${verdicts.length} worlds in which something was said`);
    t.ok(good >= verdicts.length * 0.8, `${good} of ${verdicts.length}`);
  },
);
