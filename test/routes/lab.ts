/**
 * A lab to test with: hosts, events and vCPUs by what a client does to them, over HTTP and with every answer checked
 * against the documented shape. It calls routes and decides nothing itself.
 */
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import root, { type Test } from 'tap';
import { type ActorOutcome, ActorOutcomeSchema } from '../../schemas/actor.js';
import { type Host, HostSchema } from '../../schemas/host.js';
import { type HostMetrics, HostMetricsSchema } from '../../schemas/metrics.js';
import { type Msrs, MsrsSchema, type MsrView } from '../../schemas/msr.js';
import { type PerfEvent, PerfEventSchema } from '../../schemas/perf-event.js';
import type { Problem } from '../../schemas/problem.js';
import type { ProblemCode } from '../../schemas/problem-codes.js';
import { type Script, ScriptSchema } from '../../schemas/script.js';
import { type TracePage, TracePageSchema } from '../../schemas/trace.js';
import { type Transition, TransitionSchema } from '../../schemas/transition.js';
import { type Vcpu, VcpuSchema, type Wrmsr, WrmsrSchema } from '../../schemas/vcpu.js';
import { bodyOf, build, freshStorage, problemOf } from '../helper.js';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

let shared: Promise<FastifyInstance> | undefined;

/** The service that the tests of one file share; each test makes hosts of its own. */
export async function openLab(t: Test): Promise<Lab> {
  shared ??= build(root);
  return new Lab(t, await shared);
}

/** A service without hosts, for tests that see all of it. */
export async function openFreshLab(t: Test): Promise<Lab> {
  return new Lab(t, await build(t, { storage: await freshStorage(t) }));
}

export class Lab {
  constructor(
    readonly t: Test,
    readonly app: FastifyInstance,
  ) {}

  send(method: Method, url: string, body?: unknown): Promise<LightMyRequestResponse> {
    const payload =
      body === undefined ? {} : { payload: body as NonNullable<InjectOptions['payload']> };
    return this.app.inject({ method, url, ...payload });
  }

  get(url: string, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
    return this.app.inject({ url, headers });
  }

  async host(
    cpuModel = 'emerald-rapids',
    kernel = 'linux-7.2.6',
    more: Record<string, unknown> = {},
  ): Promise<LabHost> {
    const response = await this.send('POST', '/v1/hosts', {
      cpu_model: cpuModel,
      kernel,
      ...more,
    });
    return new LabHost(this, bodyOf(this.t, response, HostSchema, 201));
  }
}

export class LabHost {
  readonly path: string;

  constructor(
    readonly lab: Lab,
    readonly item: Host,
  ) {
    this.path = `/v1/hosts/${item.id}`;
  }

  async read(): Promise<Host> {
    return bodyOf(this.lab.t, await this.lab.get(this.path), HostSchema);
  }

  /** `cycles:pp` of the host on PMC0, unless said otherwise. */
  async event(body: Record<string, unknown> = {}): Promise<PerfEvent> {
    const response = await this.lab.send('POST', `${this.path}/perf-events`, {
      counter: 'PMC0',
      precise_ip: 2,
      exclude_guest: true,
      ...body,
    });
    return bodyOf(this.lab.t, response, PerfEventSchema, 201);
  }

  async vcpu(body: Record<string, unknown> = {}): Promise<Vcpu> {
    const response = await this.lab.send('POST', `${this.path}/vcpus`, body);
    return bodyOf(this.lab.t, response, VcpuSchema, 201);
  }

  async eventState({ id }: { id: string }): Promise<PerfEvent> {
    const response = await this.lab.get(`${this.path}/perf-events/${id}`);
    return bodyOf(this.lab.t, response, PerfEventSchema);
  }

  async vcpuState({ id }: { id: string }): Promise<Vcpu> {
    return bodyOf(this.lab.t, await this.lab.get(`${this.path}/vcpus/${id}`), VcpuSchema);
  }

  /** A transition of a vCPU; a round trip unless said otherwise. */
  async move(vcpu: { id: string }, body: Record<string, unknown> = {}): Promise<Transition> {
    const response = await this.lab.send('POST', `${this.path}/vcpus/${vcpu.id}/transitions`, {
      kind: 'round_trip',
      ...body,
    });
    return bodyOf(this.lab.t, response, TransitionSchema);
  }

  async wrmsr(vcpu: { id: string }, msr: string, value: string | number): Promise<Wrmsr> {
    const body = { msr, value };
    const response = await this.lab.send('POST', `${this.path}/vcpus/${vcpu.id}/wrmsr`, body);
    return bodyOf(this.lab.t, response, WrmsrSchema);
  }

  /** One of the routes that act on a CPU: `nmis`, `ticks`, `pmu/disable`, `pmu/enable`. */
  async act(route: string, body?: Record<string, unknown>): Promise<ActorOutcome> {
    const response = await this.lab.send('POST', `${this.path}/${route}`, body);
    return bodyOf(this.lab.t, response, ActorOutcomeSchema);
  }

  async script(actions: readonly Record<string, unknown>[]): Promise<Script> {
    const response = await this.lab.send('POST', `${this.path}/scripts`, { actions });
    return bodyOf(this.lab.t, response, ScriptSchema);
  }

  async msrs(cpu = 0): Promise<Msrs> {
    return bodyOf(this.lab.t, await this.lab.get(`${this.path}/msrs?cpu=${cpu}`), MsrsSchema);
  }

  async msr(name: string, cpu = 0): Promise<MsrView> {
    const view = (await this.msrs(cpu)).msrs.find((one) => one.name === name);
    if (view === undefined) throw new Error(`the CPU has no ${name}`);
    return view;
  }

  /** The counters whose IA32_PEBS_ENABLE bit is stuck. */
  async stuck(cpu = 0): Promise<string[]> {
    return (await this.msr('IA32_PEBS_ENABLE', cpu)).stuck;
  }

  async metrics(): Promise<HostMetrics> {
    return bodyOf(this.lab.t, await this.lab.get(`${this.path}/metrics`), HostMetricsSchema);
  }

  async trace(query = 'limit=1000'): Promise<TracePage> {
    return bodyOf(this.lab.t, await this.lab.get(`${this.path}/trace?${query}`), TracePageSchema);
  }

  /** All that can be read of the host; the bodies as texts, since thousands of values are slow to compare one by one. */
  async everything(): Promise<{ part: string; status: number; body: string }[]> {
    const parts = ['', '/perf-events?limit=1000', '/vcpus', '/metrics', '/trace?limit=1000'];
    for (let cpu = 0; cpu < this.item.cpus; cpu += 1) parts.push(`/msrs?cpu=${cpu}`);
    return Promise.all(
      parts.map(async (part) => {
        const { statusCode: status, body } = await this.lab.get(`${this.path}${part}`);
        return { part, status, body };
      }),
    );
  }

  /** Sends what must be refused, and checks that it changed nothing. `path` is below the host. */
  async refuses(code: ProblemCode, method: Method, path: string, body?: unknown): Promise<Problem> {
    const before = await this.everything();
    const response = await this.lab.send(method, `${this.path}${path}`, body);
    const problem = problemOf(this.lab.t, response, code);
    const what = `${method} ${path} ${JSON.stringify(body) ?? ''}`.slice(0, 150);
    this.lab.t.strictSame(await this.everything(), before, `${what} changed nothing`);
    return problem;
  }
}

/** The values of a table written as text: a header line, then rows; cells are parted by `|`. */
export function table(text: string): Record<string, string>[] {
  const [header = [], ...rows] = text
    .trim()
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()));
  return rows.map((row) => Object.fromEntries(header.map((name, at) => [name, row[at] ?? ''])));
}
