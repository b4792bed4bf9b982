/** What clients were told about a host: what must be on it, neither more nor less. */
import type { Host } from '../../schemas/host.js';
import type { HostMetrics } from '../../schemas/metrics.js';
import type { PerfEvent } from '../../schemas/perf-event.js';
import type { Script } from '../../schemas/script.js';
import type { Transition } from '../../schemas/transition.js';
import { type Answer, json } from './http-client.js';
import type { InsistentClient } from './insist.js';
import type { Report } from './report.js';

/** The micro-step with which a round trip is counted. */
const ROUND_TRIP_STEP = 'v6_exit_load';

export class HostLedger {
  readonly path: string;
  /** False once a change was made whose answer does not tell its micro-steps and writes. */
  private isWhole = true;
  private microSteps = 0;
  private roundTrips = 0;
  private throttles = 0;
  private readonly writes = new Map<string, number>();
  private readonly events = new Set<string>();
  /** Each change makes one version, so no two acknowledged changes have the same. */
  private readonly versions = new Set<number>();

  constructor(
    readonly id: string,
    private readonly report: Report,
  ) {
    this.path = `/v1/hosts/${id}`;
  }

  /** Adds a change that makes or changes something and tells no counts. */
  noteVersion({ headers, text }: Answer): void {
    const version = Number(/^"(\d+)"$/.exec(headers.etag ?? '')?.[1] ?? Number.NaN);
    if (Number.isNaN(version)) this.report.fault(`${this.id}: no ETag with ${text.slice(0, 200)}`);
    if (this.versions.has(version)) {
      this.report.fault(`${this.id}: version ${version} was given to two changes`);
    }
    this.versions.add(version);
  }

  /** Round trips are told by their kind; the trace tells them where single micro-steps were asked for. */
  noteTransition(answer: Answer): void {
    this.noteVersion(answer);
    const told = json<Transition>(answer);
    this.microSteps += told.micro_steps;
    this.throttles += told.throttles;
    this.addWrites(told.msr_writes);
    this.roundTrips +=
      told.trace === undefined
        ? told.transitions
        : told.trace.filter(({ at }) => at === ROUND_TRIP_STEP).length;
  }

  /** A script whose transitions are round trips; `closed` are the events it closes. */
  noteScript(answer: Answer, closed: readonly string[]): void {
    this.noteVersion(answer);
    const told = json<Script>(answer);
    this.addWrites(told.msr_writes);
    for (const { action, id, transitions = 0, micro_steps = 0, throttles = 0 } of told.results) {
      this.microSteps += micro_steps;
      this.throttles += throttles;
      this.roundTrips += transitions;
      if (action === 'open_event' && id !== undefined) this.addEvent(id);
    }
    for (const id of closed) this.events.delete(id);
  }

  noteOpened(answer: Answer): void {
    this.noteVersion(answer);
    this.addEvent(json<PerfEvent>(answer).id);
    this.isWhole = false;
  }

  noteUncounted(answer: Answer): void {
    this.noteVersion(answer);
    this.isWhole = false;
  }

  /** Reads the host and reports each difference. Right only while nobody changes it. */
  async compare(client: InsistentClient): Promise<void> {
    const { id, path, report } = this;
    const read = await client.get(path);
    const host = json<Host>(read);
    const metrics = json<HostMetrics>(await client.get(`${path}/metrics`));
    const listed = json<{ items: PerfEvent[] }>(await client.get(`${path}/perf-events?limit=1000`));
    report.same(`${id} round_trips`, metrics.round_trips, this.roundTrips);
    report.same(`${id} version`, read.headers.etag, `"${this.versions.size}"`);
    report.same(`${id} versions`, Math.max(0, ...this.versions), this.versions.size);
    const open = listed.items.map((event) => event.id).sort();
    report.same(`${id} events`, open, [...this.events].sort());
    if (!this.isWhole) return;
    report.same(`${id} micro_steps`, host.micro_steps, this.microSteps);
    report.same(`${id} throttles`, metrics.throttles, this.throttles);
    const writes = metrics.msr_writes.map(({ msr, via, count }) => [`${msr} ${via}`, count]);
    report.same(`${id} msr_writes`, writes.sort(), [...this.writes].sort());
  }

  private addEvent(id: string): void {
    if (this.events.has(id)) this.report.fault(`${this.id}: ${id} was opened twice`);
    this.events.add(id);
  }

  private addWrites(writes: Transition['msr_writes']): void {
    for (const { msr, via, count } of writes) {
      const name = `${msr} ${via}`;
      this.writes.set(name, (this.writes.get(name) ?? 0) + count);
    }
  }
}
