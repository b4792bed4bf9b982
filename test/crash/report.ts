/** What a run of crashes came to: what was counted, and what went wrong. */

/** More of the same helps nobody. */
const FAULTS_MAX = 50;

export class Report {
  kills = 0;
  /** Of the service in order, or of its database. */
  stops = 0;
  /** Changes that were answered with success. */
  acknowledged = 0;
  /** Changes that were answered with a refusal, which changes nothing. */
  refused = 0;
  /** Answers that were given before, to a request whose first answer was lost. */
  replays = 0;
  /** Requests sent again, by why. */
  readonly retries = new Map<string, number>();
  /** From the start of a process until it was ready. */
  readonly readyMillis: number[] = [];
  loadMillis = 0;
  readonly faults: string[] = [];
  private readonly say: (line: string) => void;

  constructor(say: (line: string) => void = () => {}) {
    this.say = say;
  }

  progress(line: string): void {
    this.say(line);
  }

  fault(text: string): void {
    if (this.faults.length < FAULTS_MAX) {
      this.faults.push(text);
      this.say(`FAULT: ${text}`);
    }
  }

  /** A fault where two things that must be the same differ. */
  same(what: string, found: unknown, wanted: unknown): void {
    const [left, right] = [JSON.stringify(found), JSON.stringify(wanted)];
    if (left === right) return;
    this.fault(`${what}: ${cut(left)} instead of ${cut(right)}`);
  }

  retry(why: string): void {
    this.retries.set(why, (this.retries.get(why) ?? 0) + 1);
  }

  summary(): string {
    const retries = [...this.retries].map(([why, times]) => `${times} ${why}`).join(', ');
    const ready = this.readyMillis.toSorted((a, b) => a - b).map(Math.round);
    const middle = ready[Math.floor(ready.length / 2)];
    const rate = Math.round((this.acknowledged / Math.max(1, this.loadMillis)) * 1000);
    return [
      `kills and stops         ${this.kills} and ${this.stops}`,
      `acknowledged changes    ${this.acknowledged} (${rate} a second, restarts included; refused ${this.refused})`,
      `answers given again     ${this.replays}`,
      `requests sent again     ${retries || 'none'}`,
      `ms until ready          ${ready.length === 0 ? '-' : `${ready[0]} / ${middle} / ${ready.at(-1)} (min, median, max of ${ready.length})`}`,
      `differences and faults  ${this.faults.length}`,
    ].join('\n');
  }
}

function cut(text: string | undefined): string {
  return (text ?? 'nothing').slice(0, 300);
}
