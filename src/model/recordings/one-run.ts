/** A single run of a machine as a model, to see how far a recording goes along with it, and what can come next there. */
import { type Model, type Successors, successorsFor } from '../../explorer/model.js';
import { MISSING, type Observation } from '../../explorer/observation.js';
import type { Path } from '../../explorer/path.js';
import type { ObservedMachine } from './observed-machine.js';

/** A state is how many steps were taken. */
export class OneRun implements Model {
  readonly words = 1;
  readonly successorsMax: number;
  readonly properties = [];
  /** The machine's, by steps taken. */
  private readonly states: Int32Array[];
  private readonly out: Successors;
  /** Which of the machine's successors was written first of those that were written last. */
  private first = 0;

  constructor(
    private readonly machine: ObservedMachine,
    start: Int32Array,
    private readonly path: Path,
  ) {
    this.successorsMax = machine.successorsMax;
    this.states = [start];
    this.out = successorsFor(machine, 1);
  }

  /** Its steps as far as they could be taken. */
  get taken(): Path {
    return this.path.slice(0, this.states.length - 1);
  }

  initial(out: Int32Array): void {
    out[0] = 0;
  }

  expects(recording: Observation, position: number): void {
    this.machine.expects(recording, position);
  }

  /** The next step of the run; at its end every step that is possible there, after which nothing is. */
  expand(states: Int32Array, at: number, to: Successors): void {
    const { machine, out, path } = this;
    const taken = states[at]!;
    if (taken > path.length) return;
    out.count = 0;
    machine.expand(this.states[taken]!, 0, out);
    const isEnd = taken === path.length;
    this.first = isEnd ? 0 : out.labels.subarray(0, out.count).indexOf(path[taken]!);
    if (this.first < 0) return;
    const { words } = machine;
    if (!isEnd) {
      this.states[taken + 1] = out.words.slice(this.first * words, (this.first + 1) * words);
    }
    for (let nth = isEnd ? out.count : 1; nth > 0; nth -= 1) {
      to.words[to.count++] = taken + 1;
    }
  }

  emits(nth: number, out: Int32Array): number {
    return this.machine.emits(this.first + nth, out);
  }

  stateSymbol(states: Int32Array, at: number, recorded: number): number {
    const state = this.states[states[at]!];
    return state === undefined ? MISSING : this.machine.stateSymbol(state, 0, recorded);
  }

  check(): number {
    return 0;
  }

  describe(states: Int32Array, at: number): string {
    return `after ${states[at]} steps`;
  }
}
