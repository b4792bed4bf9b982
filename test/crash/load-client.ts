/** A client that changes hosts at random, one request after another, and writes what it was told into their ledgers. */
import type { PerfEvent } from '../../schemas/perf-event.js';
import type { Script } from '../../schemas/script.js';
import type { HostLedger } from './host-ledger.js';
import { type Answer, json } from './http-client.js';
import type { InsistentClient } from './insist.js';
import { pick, type Random, whole } from './random.js';

/** A host to change: on it the client has a vCPU and a CPU of its own, so that others do not get in its way. */
interface Workplace {
  readonly ledger: HostLedger;
  readonly vcpu: string;
  /** Events it has opened there and not closed. */
  readonly events: string[];
  /** Whether perf events are opened by their own route, which does not tell micro-steps. */
  readonly byRoute: boolean;
}

const EVENTS_MAX = 4;

export class LoadClient {
  private readonly http: InsistentClient;
  private readonly random: Random;
  private readonly cpu: number;
  private readonly places: Workplace[] = [];

  /** `cpu` is that of its vCPUs and events, on each host. */
  constructor(http: InsistentClient, random: Random, cpu: number) {
    this.http = http;
    this.random = random;
    this.cpu = cpu;
  }

  async settle(ledger: HostLedger, byRoute: boolean): Promise<void> {
    const made = await this.http.change(`${ledger.path}/vcpus`, { cpu: this.cpu });
    ledger.noteVersion(made);
    this.places.push({ ledger, vcpu: json<{ id: string }>(made).id, events: [], byRoute });
  }

  /** Goes on until the signal, and then until the request under way is answered. */
  async work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) await this.change(pick(this.random, this.places));
  }

  private async change(place: Workplace): Promise<void> {
    const { events, byRoute } = place;
    const chance = this.random();
    if (chance < 0.45) await this.transition(place, { kind: 'round_trip', count: this.count() });
    else if (chance < 0.65) await this.microSteps(place);
    else if (events.length < EVENTS_MAX && chance < 0.8) {
      await (byRoute ? this.open(place) : this.openByScript(place));
    } else if (events.length > 0 && chance < 0.9) await this.closeByScript(place);
    else await this.nmiByScript(place);
  }

  /** Traced, since only the trace tells whether they finish a round trip. */
  private async microSteps(place: Workplace): Promise<void> {
    const body = { kind: 'micro_step', count: this.count(), trace: true };
    await this.transition(place, body);
    // A vCPU in the guest refuses most of the rest: more often than not it leaves.
    if (this.random() < 0.7) await this.transition(place, { kind: 'vm_exit', trace: true });
  }

  private async transition({ ledger, vcpu }: Workplace, body: object): Promise<void> {
    const answer = await this.http.change(`${ledger.path}/vcpus/${vcpu}/transitions`, body);
    if (isDone(answer)) ledger.noteTransition(answer);
  }

  private async open({ ledger, events }: Workplace): Promise<void> {
    const answer = await this.http.change(`${ledger.path}/perf-events`, this.event());
    if (!isDone(answer)) return;
    ledger.noteOpened(answer);
    const { id } = json<PerfEvent>(answer);
    events.push(id);
    const paused = await this.http.change(`${ledger.path}/perf-events/${id}/disable`, {});
    if (isDone(paused)) ledger.noteUncounted(paused);
  }

  private async openByScript(place: Workplace): Promise<void> {
    const actions = [{ action: 'open_event', ...this.event() }, this.injected(place)];
    const answer = await this.script(place, actions, []);
    if (!isDone(answer)) return;
    const opened = json<Script>(answer).results.flatMap(({ action, id }) =>
      action === 'open_event' && id !== undefined ? [id] : [],
    );
    place.events.push(...opened);
  }

  private async closeByScript(place: Workplace): Promise<void> {
    const event = pick(this.random, place.events);
    const answer = await this.script(place, [{ action: 'close_event', event }], [event]);
    if (isDone(answer)) place.events.splice(place.events.indexOf(event), 1);
  }

  private async nmiByScript(place: Workplace): Promise<void> {
    const { cpu } = this;
    const nmi = { action: 'nmi', cpu, throttle: [`PMC${whole(this.random, 0, 3)}`] };
    const actions = pick(this.random, [
      [
        { action: 'nmi', cpu },
        { action: 'tick', cpu },
      ],
      [nmi],
      [this.injected(place), { action: 'tick', cpu }],
    ]);
    await this.script(place, actions, []);
  }

  /** Round trips with an NMI that lands on the way. */
  private injected({ vcpu }: Workplace): object {
    const at = pick(this.random, ['k5_switch', 'k7_lapic_wait', 'k1_run']);
    return {
      action: 'transition',
      vcpu,
      kind: 'round_trip',
      count: whole(this.random, 1, 5),
      inject: [{ at, nmi: pick(this.random, [{}, { throttle: ['PMC0'] }]) }],
    };
  }

  private async script(
    { ledger }: Workplace,
    actions: readonly object[],
    closed: readonly string[],
  ): Promise<Answer> {
    const answer = await this.http.change(`${ledger.path}/scripts`, { actions });
    if (isDone(answer)) ledger.noteScript(answer, closed);
    return answer;
  }

  private event(): object {
    return {
      cpu: this.cpu,
      counter: `PMC${whole(this.random, 0, 5)}`,
      precise_ip: 2,
      exclude_guest: true,
    };
  }

  private count(): number {
    return whole(this.random, 1, 50);
  }
}

function isDone({ status }: Answer): boolean {
  return status < 300;
}
