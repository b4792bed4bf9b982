/**
 * How each state was reached, as a forest: a node is one arrival, with the node before it and the step taken there. Nodes
 * that nothing alive descends from are forgotten, so that a long run whose alternatives have died out takes the memory of one
 * path.
 */
export const ROOT = 0;

export class History {
  /** Nodes in use. */
  count = 1;
  private parents = new Int32Array(FIRST_ROOM);
  private steps = new Int32Array(FIRST_ROOM);
  /** `forget` is worth its while from here on. */
  private worthwhile = FIRST_ROOM;

  get bytes(): number {
    return this.parents.length * 8;
  }

  add(parent: number, step: number): number {
    if (this.count === this.parents.length) {
      this.parents = grown(this.parents);
      this.steps = grown(this.steps);
    }
    const node = this.count;
    this.count += 1;
    this.replace(node, parent, step);
    return node;
  }

  /** A shorter way to a node. */
  replace(node: number, parent: number, step: number): void {
    this.parents[node] = parent;
    this.steps[node] = step;
  }

  /** The steps taken from the root to a node. */
  pathTo(node: number): number[] {
    const path: number[] = [];
    for (let at = node; at !== ROOT; at = this.parents[at] as number) {
      path.push(this.steps[at] as number);
    }
    return path.reverse();
  }

  get isCrowded(): boolean {
    return this.count >= this.worthwhile;
  }

  /** Forgets what no node of `alive` descends from, and renumbers: the numbers in `alive` are changed to the new ones. */
  forget(alive: readonly Int32Array[]): void {
    const { parents, steps } = this;
    const renumbered = new Int32Array(this.count);
    const kept: number[] = [];
    for (const nodes of alive) {
      for (const node of nodes) {
        for (let at = node; at !== ROOT && renumbered[at] === 0; at = parents[at] as number) {
          renumbered[at] = 1;
        }
      }
    }
    for (let node = 1; node < this.count; node++) {
      if (renumbered[node] === 1) renumbered[node] = kept.push(node);
    }
    // All parents are read before any is written: a shorter way may have given a node one with a larger number.
    const newParents = Int32Array.from(
      kept,
      (node) => renumbered[parents[node] as number] as number,
    );
    for (const [at, node] of kept.entries()) {
      parents[at + 1] = newParents[at] as number;
      steps[at + 1] = steps[node] as number;
    }
    for (const nodes of alive) {
      for (let at = 0; at < nodes.length; at++)
        nodes[at] = renumbered[nodes[at] as number] as number;
    }
    this.count = kept.length + 1;
    this.worthwhile = Math.max(FIRST_ROOM, 2 * this.count);
  }
}

function grown(words: Int32Array): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(2 * words.length);
  wider.set(words);
  return wider;
}

const FIRST_ROOM = 2 ** 16;
