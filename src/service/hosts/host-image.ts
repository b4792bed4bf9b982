/**
 * A stored host: its configuration, written once, and an image of its changing state, written at every change.
 *
 * Records of the machine are stored by field name, and only the fields that differ from a new record. So an image is a few
 * hundred bytes, and a later version of the service may add fields.
 */
import type { Host as HostItem } from '../../../schemas/host.js';
import { AddressBook } from '../../pmu/arch/address-book.js';
import { findCpuModel } from '../../pmu/arch/cpu-models.js';
import type { RecordClass, Words } from '../../pmu/fields/record.js';
import { INVARIANTS } from '../../pmu/invariants/index.js';
import { findKernel } from '../../pmu/kernels/index.js';
import { DEFAULT_FEATURES } from '../../pmu/kvm/guest-msrs.js';
import { VcpuPmu } from '../../pmu/kvm/vcpu-pmu.js';
import { REST } from '../../pmu/machine/micro-step.js';
import { LogicalCpu, MachineState } from '../../pmu/machine/state.js';
import { withEvents, withGuests } from '../../pmu/machine/world.js';
import { PerfEvent } from '../../pmu/perf/perf-event.js';
import type { FirstViolation, Tally } from '../../pmu/stepping/tally.js';
import type { HostRow } from '../../store/host-store.js';
import { defined } from '../defined.js';
import { createHost, type Host } from './host.js';
import { upgradeConfig, upgradeState, upgradeStep } from './host-image-format-1.js';
import { stepOfStored, storedStep } from './stored-steps.js';

/** The format of images that are written. Format 1 can still be read; any other number needs a reader of its own. */
const FORMAT = 2;

export type ConfigImage = Pick<
  HostItem,
  'name' | 'cpu_model' | 'kernel' | 'stepping' | 'cpus' | 'options'
>;

type Sparse = number | number[] | Differences;
interface Differences {
  [field: string]: Sparse;
}

type Image = ReturnType<typeof imageOf>;
type Later<Of, Names extends keyof Of> = Omit<Of, Names> & Partial<Pick<Of, Names>>;

/** As versions may have written it that knew no features of guests but `vpmu`, recorded no actions or counted no PMIs. */
type StoredImage = Later<Omit<Image, 'vcpus'>, 'guests' | 'recorded' | 'violated'> & {
  readonly vcpus: readonly Later<Image['vcpus'][number], 'pmis'>[];
};

export function hostConfig(host: Host): ConfigImage {
  return {
    ...defined({ name: host.name }),
    cpu_model: host.model.id,
    kernel: host.kernel.id,
    stepping: host.stepping,
    cpus: host.state.cpus.length,
    options: host.options,
  };
}

export function hostImage(host: Host): string {
  return JSON.stringify(imageOf(host));
}

function imageOf(host: Host) {
  const { state, world } = host;
  return {
    format: FORMAT,
    noIsolation: state.noIsolation,
    cpus: state.cpus.map(cpuImage),
    pmus: state.vcpus.map((pmu) => differences(pmu, VcpuPmu)),
    slots: state.events.map((event) => differences(event, PerfEvent)),
    configs: world.eventConfigs,
    vpmu: world.guests.map(({ vpmu }) => vpmu),
    guests: world.guests.map(({ pebs, rtm }) => ({ pebs, rtm })),
    events: host.events,
    vcpus: host.vcpus.map((vcpu) => ({ ...vcpu, written: [...vcpu.written] })),
    addresses: host.addresses.added(),
    microcode: host.microcode,
    nextId: host.nextId,
    // Its text is stored in a column of its own.
    tail: { after: host.tail.after, entries: host.tail.entries },
    tally: tallyImage(host.tally),
    recorded: host.recorded,
    violated: violatedImage(host.violated),
  };
}

/** The CPU model and the kernel of a stored host; throws if this version does not know them. */
export function partsOf(id: string, config: ConfigImage): Pick<Host, 'model' | 'kernel'> {
  const model = findCpuModel(config.cpu_model);
  const kernel = findKernel(config.kernel);
  if (model === undefined || kernel === undefined) throw otherVersion(id);
  return { model, kernel };
}

function otherVersion(id: string): Error {
  return new Error(`the host ${id} was stored by another version of the service`);
}

/** Throws if this version cannot read the image. */
export function readHost(stored: Omit<HostRow, 'seq'>): Host {
  const config = stored.config as ConfigImage;
  const { name, stepping, cpus, options } = config;
  const image = JSON.parse(stored.image) as StoredImage;
  if (image.format !== FORMAT && image.format !== 1) throw otherVersion(stored.id);
  const host = createHost({
    ...partsOf(stored.id, config),
    ...defined({ name }),
    id: stored.id,
    createdAt: stored.createdAt.toISOString(),
    stepping,
    microcode: image.microcode,
    cpus,
    options,
  });
  host.version = stored.version;
  host.state = readState(stored.id, image);
  const configs = image.format === 1 ? image.configs.map(upgradeConfig) : image.configs;
  if (image.format === 1) {
    upgradeState(host.state, configs);
  }
  const guests = image.vpmu.map((vpmu, at) => ({
    ...DEFAULT_FEATURES,
    ...image.guests?.[at],
    vpmu,
  }));
  host.world = withGuests(withEvents(host.world, configs), guests);
  // JSON has no undefined: a closed event's record comes back as null.
  host.events = image.events.map((event) => event ?? undefined);
  host.vcpus = image.vcpus.map((vcpu) => ({
    ...vcpu,
    pmis: vcpu.pmis ?? 0,
    written: new Map(vcpu.written),
  }));
  host.addresses = AddressBook.of(image.addresses);
  host.nextId = image.nextId;
  host.tail = { ...image.tail, text: stored.tail };
  host.recorded = image.recorded;
  readTally(image.tally, host.tally);
  readViolated(image.violated ?? {}, host.violated);
  return host;
}

/** The differences of a CPU, with its micro-step by the number that stays. */
function cpuImage(cpu: LogicalCpu): Sparse | undefined {
  const found = differences(cpu, LogicalCpu);
  return found === undefined || cpu.pc === REST ? found : { ...found, pc: storedStep(cpu.pc) };
}

/** The fields in which a record differs from a new one, nested records as objects; undefined if there are none. */
function differences<Instance extends Words>(
  record: Instance,
  { fields, fresh }: Pick<RecordClass<Instance>, 'fields' | 'fresh'>,
): Differences | undefined {
  const found: Differences = {};
  for (const { path, at, length } of fields) {
    const value = [...record.words.subarray(at, at + (length ?? 1))];
    if (value.every((word, nth) => word === fresh[at + nth])) continue;
    const parts = path.split('.');
    const name = parts.pop()!;
    let inner = found;
    for (const part of parts) {
      inner[part] ??= {};
      inner = inner[part] as Differences;
    }
    inner[name] = length === undefined ? value[0]! : value;
  }
  return Object.keys(found).length === 0 ? undefined : found;
}

function readState(id: string, image: StoredImage): MachineState {
  const state = new MachineState();
  state.noIsolation = image.noIsolation;
  image.cpus.forEach((cpu, index) => {
    const read = apply(new LogicalCpu(index), cpu);
    const step = stepOfStored(image.format === 1 ? upgradeStep(read.pc) : read.pc);
    if (step === undefined) throw otherVersion(id);
    read.pc = step;
    state.cpus.push(read);
  });
  for (const pmu of image.pmus) state.vcpus.push(apply(new VcpuPmu(), pmu));
  for (const slot of image.slots) state.events.push(apply(new PerfEvent(), slot));
  return state;
}

/** A new record with the differences applied. */
function apply<Entity extends object>(record: Entity, image: Sparse | null | undefined): Entity {
  const fields = record as Record<string, number | Int32Array | object>;
  for (const [field, value] of Object.entries(image ?? {})) {
    const own = fields[field];
    if (own instanceof Int32Array) own.set(value as number[]);
    else if (typeof own === 'object') apply(own, value);
    else if (own !== undefined) fields[field] = value as number;
  }
  return record;
}

function tallyImage(tally: Tally) {
  /** Indices and counts of the non-zero counters, alternating. */
  const writes: number[] = [];
  tally.sink.counts.forEach((count, at) => {
    if (count > 0) writes.push(at, count);
  });
  const violations: Record<string, { count: number; first: FirstViolation | undefined }> = {};
  INVARIANTS.forEach(({ id }, at) => {
    const count = tally.violations[at]!;
    if (count > 0) violations[id] = { count, first: tally.firstViolations[at] };
  });
  const { microSteps, happened, roundTrips, entries } = tally;
  const { nmis, throttles } = tally.sink;
  return { microSteps, happened, roundTrips, entries, nmis, throttles, writes, violations };
}

function readTally(image: ReturnType<typeof tallyImage>, tally: Tally): void {
  const { writes, violations, nmis, throttles, ...counts } = image;
  Object.assign(tally, counts);
  Object.assign(tally.sink, { nmis, throttles });
  for (let at = 0; at < writes.length; at += 2) tally.sink.counts[writes[at]!] = writes[at + 1]!;
  INVARIANTS.forEach(({ id }, at) => {
    const found = violations[id];
    if (found === undefined) return;
    tally.violations[at] = found.count;
    tally.firstViolations[at] = found.first;
  });
}

/** By failed invariant: the CPUs on which it failed when last evaluated. */
function violatedImage(violated: Int32Array): Record<string, number[]> {
  const image: Record<string, number[]> = {};
  INVARIANTS.forEach(({ id }, at) => {
    const cpus = [...violated.keys()].filter((cpu) => violated[cpu]! & (1 << at));
    if (cpus.length > 0) image[id] = cpus;
  });
  return image;
}

function readViolated(image: Readonly<Record<string, readonly number[]>>, into: Int32Array): void {
  INVARIANTS.forEach(({ id }, at) => {
    for (const cpu of image[id] ?? []) into[cpu]! |= 1 << at;
  });
}
