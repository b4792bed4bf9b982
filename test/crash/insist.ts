/** Asks until there is an answer, as a careful client does: again under the same key, perhaps elsewhere. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, type Asked, HttpClient } from './http-client.js';
import { pick, type Random } from './random.js';
import type { Report } from './report.js';

/** An instance may be down for as long as a database needs to recover, and then some. */
const INSIST_MILLIS_MAX = 60_000;
const PAUSE_MILLIS = 25;
/** `Retry-After` counts seconds; here many requests are worth more than manners. */
const PAUSE_MILLIS_MAX = 200;

/** What the machine or a full table of events may say to a change made at random. */
const REFUSALS = /"\/problems\/(conflict|rule_violated|perf_errno|limit_reached)"/;
const PROBLEM_TYPE = /^application\/problem\+json/;

export class InsistentClient {
  private readonly http = new HttpClient();
  private readonly ports: readonly number[];
  private readonly random: Random;
  private readonly report: Report;

  /** Each request goes to one of the ports, drawn at random. */
  constructor(ports: readonly number[], random: Random, report: Report) {
    this.ports = ports;
    this.random = random;
    this.report = report;
  }

  /** A request that changes something, under a key of its own. Refusals are answers, too. */
  async change(path: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
    const { report } = this;
    const key = { 'idempotency-key': `"${randomUUID()}"` };
    const answer = await this.insist({
      method: 'POST',
      path,
      body,
      headers: { ...headers, ...key },
    });
    if (answer.headers['idempotent-replayed'] === 'true') report.replays += 1;
    if (answer.status < 300) report.acknowledged += 1;
    else report.refused += 1;
    if (answer.status >= 300 && !REFUSALS.test(answer.text)) {
      report.fault(`POST ${path} answered ${answer.status} ${answer.text.slice(0, 300)}`);
    }
    return answer;
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.insist({ method: 'GET', path, headers });
  }

  close(): void {
    this.http.close();
  }

  private async insist(asked: Asked): Promise<Answer> {
    const deadline = performance.now() + INSIST_MILLIS_MAX;
    let last = 'nothing';
    let pause = PAUSE_MILLIS;
    while (performance.now() < deadline) {
      try {
        const answer = await this.http.ask(pick(this.random, this.ports), asked);
        const again = whyAgain(answer);
        if (again === undefined) return answer;
        this.check(asked, answer);
        this.report.retry(again);
        last = `${answer.status} ${answer.text.slice(0, 300)}`;
        await sleep(pauseOf(answer));
      } catch (error) {
        this.report.retry('after connection errors');
        last = String(error);
        // At first soon enough to meet what a killed instance has left unfinished, later with patience.
        await sleep(this.random() * pause);
        pause = Math.min(2 * pause, PAUSE_MILLIS_MAX);
      }
    }
    throw new Error(`${asked.method} ${asked.path} was not answered: ${last}`);
  }

  /** What tells a client to come back must say when, and our own bugs must not show at all. */
  private check({ method, path }: Asked, { status, headers, text }: Answer): void {
    const said = `${method} ${path} answered ${status} ${text.slice(0, 300)}`;
    if (status === 500 || status > 503) this.report.fault(said);
    else if (!PROBLEM_TYPE.test(headers['content-type'] ?? '')) {
      this.report.fault(`${said}, which is no problem body`);
    } else if (headers['retry-after'] === undefined) {
      this.report.fault(`${said}, without Retry-After`);
    }
    if (/\bat .*\.[jt]s:\d+/.test(text)) this.report.fault(`${said}: a stack trace`);
  }
}

function whyAgain({ status, text }: Answer): string | undefined {
  if (status === 409 && text.includes('/problems/idempotency_key_in_flight')) {
    return 'after 409 in flight';
  }
  return status === 429 || status >= 500 ? `after ${status}` : undefined;
}

function pauseOf({ headers }: Answer): number {
  const seconds = Number(headers['retry-after'] ?? 0);
  return Math.min(Math.max(PAUSE_MILLIS, seconds * 1000), PAUSE_MILLIS_MAX);
}
