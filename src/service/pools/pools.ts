/** Pools and their machines: putting, reading, and the page of a pool. */
import {
  type Disagreement,
  MACHINES_MAX,
  type Machine,
  type MachineRequest,
  POOLS_MAX,
  type Pool,
  type PoolMachine,
  type PoolRequest,
  type PoolSummary,
} from '../../../schemas/pool.js';
import type { Database } from '../../store/database.js';
import { PoolJobStore } from '../../store/pool-job-store.js';
import { type MachineRow, type PoolRow, PoolStore } from '../../store/pool-store.js';
import { identifyMachine } from '../identification.js';
import { numbered } from '../numbered.js';
import { ProblemError } from '../problem-error.js';
import { missing } from '../refusals.js';
import { disagreements, NOTHING_SHOWN, type Shown, shownBy } from './disagreements.js';
import { leaseOfRun, machineItem, poolItem } from './pool-views.js';

interface PutItem<Item> {
  readonly item: Item;
  readonly isNew: boolean;
}

/** Of what texts say, as much as identifies a machine. */
const FACTS_KEPT = [
  'cpu_vendor',
  'cpu_family',
  'cpu_model',
  'cpu_stepping',
  'cpu_name',
  'microcode',
  'cpus',
  'hypervisor',
  'pmu_version',
  'kernel_release',
  'kernel_version',
];
const FACT_LENGTH_MAX = 200;

export class Pools {
  private readonly store: PoolStore;
  private readonly jobs: PoolJobStore;

  constructor(database: Database) {
    this.store = new PoolStore(database);
    this.jobs = new PoolJobStore(database);
  }

  async put(name: string, request: PoolRequest, onlyNew: boolean): Promise<PutItem<PoolSummary>> {
    const { title = null, lease_seconds, draining } = request;
    const pool = { name, title, leaseSeconds: lease_seconds, draining };
    const put = await this.store.put(pool, onlyNew, POOLS_MAX);
    if (put === 'full') throw full(`There are ${POOLS_MAX} pools already.`);
    if (put === 'there') throw exists(`There is a pool ${name} already.`);
    return { item: poolItem(await this.row(name)), isNew: put === 'made' };
  }

  async list(after: number, limit: number) {
    return numbered(await this.store.list(after, limit), poolItem);
  }

  /** The page of a pool: what is expected of its machines, what they showed, and how its runs stand. */
  async page(name: string): Promise<Pool> {
    const row = await this.row(name);
    const [machines, shown, runs] = await Promise.all([
      this.store.machines(name, 0, MACHINES_MAX),
      this.store.shown(name),
      this.jobs.counts(name),
    ]);
    const showing = shownBy(shown);
    const items = machines.map((machine) =>
      pageItem(machine, showing.get(machine.name) ?? NOTHING_SHOWN),
    );
    const found: Disagreement[] = items.flatMap(disagreements);
    return { ...poolItem(row), machines: items, runs: { ...runs }, disagreements: found };
  }

  async delete(name: string): Promise<void> {
    if (!(await this.store.delete(name))) missing('pool', name);
  }

  async putMachine(
    pool: string,
    name: string,
    { labels = [], ...said }: MachineRequest,
    onlyNew: boolean,
  ): Promise<PutItem<Machine>> {
    const { identity, facts } = await identifyMachine(said);
    const known = facts.toObject();
    const kept = Object.fromEntries(
      FACTS_KEPT.flatMap((fact) => {
        const value = known[fact];
        return value === undefined ? [] : [[fact, value.slice(0, FACT_LENGTH_MAX)]];
      }),
    );
    const machine = { facts: kept, identity, labels };
    const put = await this.store.putMachine(pool, name, machine, onlyNew, MACHINES_MAX);
    if (put === 'no pool') missing('pool', pool);
    if (put === 'full') throw fullOfMachines(pool);
    if (put === 'there') throw exists(`There is a machine ${name} in ${pool} already.`);
    return { item: await this.machine(pool, name), isNew: put === 'made' };
  }

  async machine(pool: string, name: string): Promise<Machine> {
    return machineItem((await this.store.machine(pool, name)) ?? missing('machine', name));
  }

  async machines(pool: string, after: number, limit: number) {
    await this.row(pool);
    return numbered(await this.store.machines(pool, after, limit), machineItem);
  }

  async deleteMachine(pool: string, name: string): Promise<void> {
    if (!(await this.store.deleteMachine(pool, name))) missing('machine', name);
  }

  private async row(name: string): Promise<PoolRow> {
    return (await this.store.get(name)) ?? missing('pool', name);
  }
}

export function fullOfMachines(pool: string): ProblemError {
  return full(`${pool} has ${MACHINES_MAX} machines already.`);
}

function full(detail: string): ProblemError {
  return new ProblemError('limit_reached', detail);
}

function exists(detail: string): ProblemError {
  return new ProblemError('precondition_failed', detail, [
    { pointer: '/if-none-match', detail: 'asks for a new one', in: 'header' },
  ]);
}

function pageItem(row: MachineRow, shown: Shown): PoolMachine {
  const { name, labels, seenAt, run, facts } = row;
  const identity = row.identity as Machine['identity'];
  const kernel = facts.kernel_release;
  return {
    name,
    labels: [...labels],
    ...(seenAt === null ? {} : { seen_at: seenAt.toISOString() }),
    ...(run === null ? {} : { lease: leaseOfRun(run) }),
    ...(kernel === undefined ? {} : { kernel }),
    cpu_model: identity?.cpu_model ?? null,
    platform_class: identity?.platform_class ?? null,
    fix_state: identity?.fix_state ?? 'unknown',
    predicted_path: identity?.predicted_path ?? 'unknown',
    observations: shown.observations,
    shown_autoload: shown.autoload,
    shown_none: shown.none,
    shown_stuck: shown.stuck,
  };
}
