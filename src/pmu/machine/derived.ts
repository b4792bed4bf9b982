/**
 * What follows from the fields that a packed state keeps, as code compiled for one world: perf's masks and the enable bits
 * follow from the active events, an event's counter from its status where it has no choice.
 */
import { FIXED, GENERAL_PURPOSE } from '../arch/counter-set.js';
import { SWITCHED_MSRS, switchedIn } from '../arch/msr.js';
import type { Kept } from '../fields/field.js';
import { TAGS } from '../perf/cpu-hw-events.js';
import {
  ACTIVE,
  ADDED,
  HOST_OWNED,
  NO_COUNTER,
  NO_TAG,
  NOT_LISTED,
  STOPPED,
} from '../perf/perf-event.js';
import { classOf } from './event-order.js';
import type { RecordInState } from './records.js';
import type { MachineState } from './state.js';
import type { World } from './world.js';

/** Lines that follow those which read the kept fields. */
export function derivedCode(
  world: World,
  initial: MachineState,
  records: readonly RecordInState[],
  kept: ReadonlySet<Kept>,
): string[] {
  const events = records.filter(({ kind }) => kind === 'event');
  const cpus = records.filter(({ kind }) => kind === 'cpu');
  const vcpus = records.filter(({ kind }) => kind === 'vcpu');
  const event = new EventCode(world, initial, events, vcpus, kept);
  return [
    ...events.flatMap((_, at) => event.lines(at)),
    ...cpus.flatMap((cpu) => [
      ...(kept.has('strays') ? [] : masks(cpu, world, event)),
      ...(kept.has('walks_lists') ? [] : [`${cpu.word('cursor')} = 0;`]),
      // Unless events are put on the list beside running ones, no tag is looked at again.
      ...(kept.has('mixes') ? [] : events.map((_, nth) => `${cpu.word('cpuc.tags', nth)} = 0;`)),
    ]),
    ...vcpus.flatMap(loadAreas),
  ];
}

/** Which MSRs are listed says how many, and which order to take: ascending. */
function loadAreas(vcpu: RecordInState): string[] {
  const present = vcpu.word('autoload.present');
  const places = switchedIn();
  return [
    // Only the guest looks at these, and nobody acts on what it sees.
    `${vcpu.word('globalStatus')} = 0;`,
    `${vcpu.word('pmi')} = 0;`,
    `${vcpu.word('autoload.count')} = ${places.map((msr) => `(${present} >>> ${msr} & 1)`).join(' + ')};`,
    ...places.map((nth) => `${vcpu.word('autoload.order', nth)} = ${nthListed(present, nth)};`),
  ];
}

/** The nth MSR code of a mask, or 0, looked up in one word: there are sixteen masks and four codes. */
function nthListed(present: string, nth: number): string {
  const table = [...Array(1 << SWITCHED_MSRS).keys()].map((mask) => {
    return switchedIn(mask)[nth] ?? 0;
  });
  const word = table.reduce((all, msr, mask) => all | (msr << (2 * mask)), 0);
  return `${word} >>> 2 * ${present} & 3`;
}

/** A CPU's masks, which follow from its active events. */
function masks(cpu: RecordInState, world: World, event: EventCode): string[] {
  const of = (wanted: (at: number) => boolean): string => event.activeOn(cpu.index, wanted);
  const { eventConfigs: configs } = world;
  return [
    `${cpu.word('cpuc.activeMask')} = ${of(() => true)};`,
    `${cpu.word('cpuc.intelCtrlGuestMask')} = ${of((at) => configs[at]!.excludeHost)};`,
    `${cpu.word('cpuc.intelCtrlHostMask')} = ${of((at) => configs[at]!.excludeGuest)};`,
    ...(event.kept.has('pebs_strays')
      ? []
      : [`${cpu.word('cpuc.pebsEnabled')} = ${event.pebsOn(cpu.index)};`]),
    `${cpu.word('hardware.counterEnable')} = ${cpu.word('cpuc.activeMask')} & ${GENERAL_PURPOSE} | ${cpu.word('hardware.fixedCtrl')} & ${FIXED};`,
  ];
}

/** What follows from the status of an event, and of those before it. */
class EventCode {
  readonly kept: ReadonlySet<Kept>;
  private readonly world: World;
  private readonly initial: MachineState;
  private readonly events: readonly RecordInState[];
  private readonly vcpus: readonly RecordInState[];

  constructor(
    world: World,
    initial: MachineState,
    events: readonly RecordInState[],
    vcpus: readonly RecordInState[],
    kept: ReadonlySet<Kept>,
  ) {
    this.world = world;
    this.initial = initial;
    this.events = events;
    this.vcpus = vcpus;
    this.kept = kept;
  }

  /** Assigns every field of an event that follows from others. */
  lines(at: number): string[] {
    const { kept } = this;
    const { word } = this.events[at]!;
    const { owner, constraint } = this.world.eventConfigs[at]!;
    const status = word('status');
    const pinnedTo = 31 - Math.clz32(constraint);
    const isPlaced = kept.has('mixes') ? `${word('tag')} !== ${NO_TAG}` : `${status} >= ${ACTIVE}`;
    const { rank } = this.initial.events[at]!;
    return [
      ...(owner === HOST_OWNED
        ? []
        : [
            `${word('cpu')} = ${this.vcpus[owner]!.word('cpu')};`,
            `${word('dataCfg')} = ${word('preciseIp')} === 1 ? 2 : 0;`,
          ]),
      ...(kept.has('choices')
        ? []
        : [
            `${word('assigned')} = ${status} >= ${ADDED} ? ${pinnedTo} : ${NO_COUNTER};`,
            `${word('counter')} = ${isPlaced} ? ${pinnedTo} : ${NO_COUNTER};`,
          ]),
      ...(kept.has('marks') ? [] : [`${word('mark')} = ${status} === ${STOPPED} ? 1 : 0;`]),
      ...(kept.has('reorders') ? [] : [`${word('rank')} = ${rank};`]),
      ...(kept.has('detaches')
        ? []
        : [
            `${word('position')} = ${status} >= ${ADDED} ? ${this.listedBefore(at)} : ${NOT_LISTED};`,
          ]),
      ...(kept.has('mixes')
        ? []
        : [`${word('tag')} = ${status} >= ${ADDED} ? ${TAGS} * ${this.cpuOf(at)} : ${NO_TAG};`]),
    ];
  }

  /** How many events of its CPU are listed before an event: those scheduled in before it. */
  private listedBefore(at: number): string {
    const terms = this.events.flatMap(({ word }, other) => {
      const before = other === at ? 'false' : this.isBefore(other, at);
      if (before === 'false') return [];
      const conditions = [
        `${word('status')} >= ${ADDED}`,
        this.isOn(other, this.cpuOf(at)),
        before,
      ];
      return [`(${conditions.filter((condition) => condition !== 'true').join(' && ')} ? 1 : 0)`];
    });
    return terms.join(' + ') || '0';
  }

  /** Whether one event is scheduled in before another: by class, then by rank. */
  private isBefore(one: number, other: number): string {
    const { events, eventConfigs } = { ...this.world, events: this.initial.events };
    const a = classOf(events[one]!, eventConfigs[one]!);
    const b = classOf(events[other]!, eventConfigs[other]!);
    if (a !== b) return String(a < b);
    return this.kept.has('reorders')
      ? `${this.events[one]!.word('rank')} < ${this.events[other]!.word('rank')}`
      : String(events[one]!.rank < events[other]!.rank);
  }

  /** The CPU of an event: a number where it cannot change. */
  private cpuOf(at: number): string {
    const { cpu, owner } = this.world.eventConfigs[at]!;
    if (this.initial.cpus.length === 1) return '0';
    return owner === HOST_OWNED ? String(cpu) : this.vcpus[owner]!.word('cpu');
  }

  private isOn(at: number, cpu: string): string {
    const own = this.cpuOf(at);
    if (own === cpu) return 'true';
    return Number.isNaN(Number(own) + Number(cpu)) ? `${own} === ${cpu}` : 'false';
  }

  /** The counters of a CPU's active events of a kind, as an expression. */
  activeOn(cpu: number, wanted: (at: number) => boolean): string {
    return this.sum(cpu, (at) => (wanted(at) ? [] : undefined));
  }

  pebsOn(cpu: number): string {
    return this.sum(cpu, (at) => {
      const isFixed = this.world.eventConfigs[at]!.owner === HOST_OWNED;
      if (!isFixed) return [`${this.events[at]!.word('preciseIp')} > 0`];
      return this.initial.events[at]!.preciseIp > 0 ? [] : undefined;
    });
  }

  /** The counters of those active events for which there are conditions, and all are true. */
  private sum(cpu: number, conditionsOf: (at: number) => string[] | undefined): string {
    const terms = this.events.flatMap(({ word }, at) => {
      const isOn = this.isOn(at, String(cpu));
      const more = conditionsOf(at);
      if (more === undefined || isOn === 'false') return [];
      const conditions = [`${word('status')} === ${ACTIVE}`, isOn, ...more];
      const all = conditions.filter((condition) => condition !== 'true').join(' && ');
      return [`(${all} ? 1 << ${word('counter')} : 0)`];
    });
    return terms.join(' | ') || '0';
  }
}
