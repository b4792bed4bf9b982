/**
 * The states in which a run can be at one place of a recording, each with the fewest steps that lead there. Places are gone
 * through in order and take turns in using the memory of a few frontiers.
 */
import { type History, ROOT } from './history.js';
import { VisitedTable } from './visited-table.js';

export class Frontier {
  readonly table: VisitedTable;
  /** By state: its node in the history, how many steps lead to it, and whether its successors were looked at. */
  nodes = new Int32Array(FIRST_ROOM);
  private depths = new Int32Array(FIRST_ROOM);
  private done = new Uint8Array(FIRST_ROOM);
  /** States that were found from others of this frontier, in the order of their depths. */
  private readonly queue: number[] = [];
  private queued = 0;
  /** The others, in the same order once `begin` was called. */
  private entered: number[] = [];
  private taken = 0;

  constructor(words: number, bytesMax: number) {
    this.table = new VisitedTable(words, bytesMax);
  }

  get count(): number {
    return this.table.count;
  }

  get bytes(): number {
    return this.table.bytes + 9 * this.nodes.length;
  }

  depthOf(state: number): number {
    return this.depths[state] as number;
  }

  clear(): void {
    this.done.fill(0, 0, this.count);
    this.table.clear();
    this.queue.length = 0;
    this.entered.length = 0;
    this.queued = 0;
    this.taken = 0;
  }

  /** Puts in the state that runs begin with. */
  start(state: Int32Array): void {
    this.table.insert(state, 0);
    this.nodes[0] = ROOT;
    this.depths[0] = 0;
    this.entered.push(0);
  }

  /**
   * Puts in the state at `words[at …]`, reached with `depth` steps by successor `index` of a node, unless it is there with as
   * few. `isInside` says that it was found from a state of this frontier.
   */
  reach(
    words: Int32Array,
    at: number,
    depth: number,
    history: History,
    parent: number,
    index: number,
    isInside: boolean,
  ): void {
    const { table } = this;
    let state = table.insert(words, at);
    if (state >= 0) {
      this.makeRoom(state);
      this.nodes[state] = history.add(parent, index);
    } else {
      state = table.find(words, at);
      if ((this.depths[state] as number) <= depth) return;
      history.replace(this.nodes[state] as number, parent, index);
    }
    this.depths[state] = depth;
    if (isInside) this.queue.push(state);
    else this.entered.push(state);
  }

  /** Puts in a state that was at an earlier place, reached as it was there. */
  carry(words: Int32Array, at: number, depth: number, node: number): void {
    const state = this.table.insert(words, at);
    if (state < 0) return;
    this.makeRoom(state);
    this.nodes[state] = node;
    this.depths[state] = depth;
    this.entered.push(state);
  }

  /** Nothing more is put in from outside. */
  begin(): void {
    const { depths } = this;
    this.entered.sort((a, b) => (depths[a] as number) - (depths[b] as number) || a - b);
  }

  /** The next state to look at, those with fewer steps first; -1 when all were. */
  next(): number {
    for (;;) {
      const found = this.queue[this.queued];
      const entered = this.entered[this.taken];
      if (found === undefined && entered === undefined) return -1;
      const isFound =
        entered === undefined ||
        (found !== undefined && (this.depths[found] as number) <= (this.depths[entered] as number));
      if (isFound) this.queued++;
      else this.taken++;
      const state = (isFound ? found : entered) as number;
      if (this.done[state] === 1) continue;
      this.done[state] = 1;
      return state;
    }
  }

  /** Of the states put in, one with the fewest steps. */
  nearest(): number {
    let nearest = 0;
    for (let state = 1; state < this.count; state++) {
      if ((this.depths[state] as number) < (this.depths[nearest] as number)) nearest = state;
    }
    return nearest;
  }

  private makeRoom(state: number): void {
    if (state < this.nodes.length) return;
    const { nodes, depths, done } = this;
    this.nodes = new Int32Array(2 * nodes.length);
    this.depths = new Int32Array(2 * nodes.length);
    this.done = new Uint8Array(2 * nodes.length);
    this.nodes.set(nodes);
    this.depths.set(depths);
    this.done.set(done);
  }
}

const FIRST_ROOM = 256;
