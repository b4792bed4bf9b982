/** Tiny models with counts one can work out by hand, after stateright's `test_util.rs`. */
import type { Model, Successors } from '../../src/explorer/model.js';

export type ToyArgs =
  | { readonly toy: 'jugs' }
  | {
      readonly toy: 'graph';
      readonly edges: Readonly<Record<number, readonly number[]>>;
      readonly bad: readonly number[];
    }
  | { readonly toy: 'grid'; readonly counters: number; readonly top: number; readonly goal: number }
  | { readonly toy: 'crash' | 'stuck' | 'hog' };

export function createModel(args: unknown): Model {
  const toy = args as ToyArgs;
  switch (toy.toy) {
    case 'jugs':
      return jugs();
    case 'graph':
      return graph(toy.edges, toy.bad);
    case 'grid':
      return grid(toy.counters, toy.top, toy.goal);
    default:
      return misbehaving(toy.toy);
  }
}

/** Die Hard's jugs of 3 and 5 gallons: 16 states, six actions in each (96 transitions), 4 gallons after six steps. */
export function jugs(): Model {
  const actions = [
    'fill small',
    'fill big',
    'empty small',
    'empty big',
    'small to big',
    'big to small',
  ];
  return {
    words: 1,
    successorsMax: 6,
    properties: [
      { id: 'big-holds-four', kind: 'sometimes' },
      { id: 'never-four', kind: 'always' },
      { id: 'big-holds-six', kind: 'sometimes' },
      { id: 'no-overflow', kind: 'always' },
    ],
    initial(out) {
      out[0] = 0;
    },
    expand(states, at, out) {
      const small = (states[at] as number) & 15;
      const big = (states[at] as number) >>> 4;
      const toBig = Math.min(small, 5 - big);
      const toSmall = Math.min(big, 3 - small);
      const next: readonly (readonly [number, number])[] = [
        [3, big],
        [small, 5],
        [0, big],
        [small, 0],
        [small - toBig, big + toBig],
        [small + toSmall, big - toSmall],
      ];
      next.forEach(([s, b], action) => {
        push(out, action, s | (b << 4));
      });
    },
    check(states, at) {
      const small = (states[at] as number) & 15;
      const big = (states[at] as number) >>> 4;
      return (big === 4 ? 3 : 0) | (big === 6 ? 4 : 0) | (small > 3 || big > 5 ? 8 : 0);
    },
    describe(states, at, label) {
      if (label !== undefined) return actions[label] ?? 'unknown action';
      return `small ${(states[at] as number) & 15}, big ${(states[at] as number) >>> 4}`;
    },
  };
}

/** A digraph from node 1; a node in `bad` violates 'good'. Every action has the same label. */
export function graph(
  edges: Readonly<Record<number, readonly number[]>>,
  bad: readonly number[] = [],
): Model {
  return {
    words: 1,
    successorsMax: 8,
    properties: [{ id: 'good', kind: 'always' }],
    initial(out) {
      out[0] = 1;
    },
    expand(states, at, out) {
      for (const node of edges[states[at] as number] ?? []) push(out, 0, node);
    },
    check: (states, at) => (bad.includes(states[at] as number) ? 1 : 0),
    describe: (states, at, label) => (label === undefined ? `node ${states[at]}` : 'go'),
    placeOf: (states, at) => (states[at] as number) % 2,
  };
}

/**
 * `counters` counters from 0 to `top`, each step raises one: (top+1)^counters states, counters * top *
 * (top+1)^(counters-1) transitions, depth counters * top. Counters are alike, so folded it has C(top+counters, counters)
 * states. 'goal' is violated where the sum is `goal`; 'all-top' is witnessed in the last state.
 */
export function grid(counters: number, top: number, goal: number): Model {
  return {
    words: counters,
    successorsMax: counters,
    properties: [
      { id: 'goal', kind: 'always' },
      { id: 'all-top', kind: 'sometimes' },
    ],
    initial(out) {
      out.fill(0);
    },
    expand(states, at, out) {
      for (let i = 0; i < counters; i++) {
        if ((states[at + i] as number) >= top) continue;
        const to = out.count * counters;
        for (let w = 0; w < counters; w++) out.words[to + w] = states[at + w] as number;
        out.words[to + i] = (states[at + i] as number) + 1;
        out.labels[out.count++] = i;
      }
    },
    check(states, at) {
      let sum = 0;
      for (let i = 0; i < counters; i++) sum += states[at + i] as number;
      return (sum === goal ? 1 : 0) | (sum === counters * top ? 2 : 0);
    },
    describe: (states, at, label) =>
      label === undefined ? states.slice(at, at + counters).join() : `raise ${label}`,
    canonical(states, at) {
      states.subarray(at, at + counters).sort();
    },
  };
}

/** Models that break the rules: one throws, one never comes back from `expand`, one eats the heap. */
function misbehaving(kind: 'crash' | 'stuck' | 'hog'): Model {
  const hoard: unknown[] = [];
  return {
    ...grid(2, 1000, 3000),
    expand() {
      if (kind === 'crash') throw new Error('the model fell over');
      for (;;) if (kind === 'hog') hoard.push(new Array(1000).fill({ hoard }));
    },
  };
}

function push(out: Successors, label: number, word: number): void {
  out.words[out.count] = word;
  out.labels[out.count++] = label;
}
