/**
 * The symmetry of the reference model: host counters are alike, guest counters are alike, vCPUs are alike. The state
 * that stands for a class is the least one over all permutations, compared by the low word without a vCPU target,
 * then the high word, then that target.
 */
import { FIRST_OP, type ReferenceLayout } from './reference-model.js';

export function createCanonical(layout: ReferenceLayout): (states: Int32Array, at: number) => void {
  const { counters, stepAt, targetAt, targetMask, listAt, listInLow, vcpuAt, vcpuBits, vcpus } =
    layout;
  const pairMask = (1 << (2 * counters)) - 1;
  const permutations = permutationsOf(counters, layout.guestCounters).map((to) => ({
    to,
    pairs: pairTable(to),
  }));
  const keys = new Array<number>(vcpus).fill(0);
  const stepMask = (31 << stepAt) | (targetMask << targetAt);

  /** Permutes `fields` counter sets lying side by side from bit `from` on. */
  function permute(word: number, from: number, fields: number, pairs: Int32Array): number {
    let permuted = 0;
    for (let field = 0; field < fields; field += 2) {
      const shift = from + field * counters;
      const mask = fields - field === 1 ? pairMask >>> counters : pairMask;
      permuted |= (pairs[(word >>> shift) & mask] as number) << shift;
    }
    return permuted;
  }

  return function canonical(states, at) {
    const low = states[at] as number;
    const high = states[at + 1] as number;
    const step = (low >>> stepAt) & 31;
    const target = (low >>> targetAt) & targetMask;
    const running = step !== 0 && step < FIRST_OP ? target : -1;
    let bestLow = 0;
    let bestHigh = 0;
    let bestTarget = 0;
    let found = false;
    for (const { to, pairs } of permutations) {
      let newLow =
        permute(low, 0, stepAt / counters, pairs) |
        permute(low, listAt, listInLow, pairs) |
        (low & stepMask);
      if (step >= FIRST_OP)
        newLow = (newLow & ~(targetMask << targetAt)) | ((to[target] as number) << targetAt);
      else newLow &= ~(targetMask << targetAt);
      if (found && newLow >>> 0 > bestLow >>> 0) continue;
      for (let v = 0; v < vcpus; v++) {
        const record = (high >>> (vcpuAt + v * vcpuBits)) & ((1 << vcpuBits) - 1);
        const others = record & ~(pairMask << 1);
        const key =
          ((others | ((pairs[(record >>> 1) & pairMask] as number) << 1)) << 1) |
          (v === running ? 1 : 0);
        let place = v;
        for (; place > 0 && (keys[place - 1] as number) > key; place--)
          keys[place] = keys[place - 1] as number;
        keys[place] = key;
      }
      let newHigh = permute(high, 0, 4 - listInLow, pairs);
      let newTarget = 0;
      for (let v = 0; v < vcpus; v++) {
        newHigh |= ((keys[v] as number) >>> 1) << (vcpuAt + v * vcpuBits);
        if ((keys[v] as number) & 1) newTarget = v;
      }
      if (found && newLow === bestLow) {
        if (newHigh >>> 0 > bestHigh >>> 0) continue;
        if (newHigh === bestHigh && newTarget >= bestTarget) continue;
      }
      found = true;
      bestLow = newLow;
      bestHigh = newHigh;
      bestTarget = newTarget;
    }
    states[at] = running >= 0 ? bestLow | (bestTarget << targetAt) : bestLow;
    states[at + 1] = bestHigh;
  };

  /** Where each pair of counter sets goes. */
  function pairTable(to: readonly number[]): Int32Array {
    return Int32Array.from({ length: pairMask + 1 }, (_, pair) => {
      let moved = 0;
      for (let bit = 0; bit < 2 * counters; bit++) {
        if ((pair >>> bit) & 1)
          moved |= 1 << ((to[bit % counters] as number) + (bit < counters ? 0 : counters));
      }
      return moved;
    });
  }
}

/** All ways to permute the host counters among themselves and the guest counters among themselves. */
function permutationsOf(counters: number, guestCounters: number): number[][] {
  const hosts = counters - guestCounters;
  const orders = (members: readonly number[]): number[][] =>
    members.length === 0
      ? [[]]
      : members.flatMap((first) =>
          orders(members.filter((other) => other !== first)).map((rest) => [first, ...rest]),
        );
  const all = Array.from({ length: counters }, (_, i) => i);
  return orders(all.slice(0, hosts)).flatMap((host) =>
    orders(all.slice(hosts)).map((guest) => [...host, ...guest]),
  );
}
