/** The hazards of the host side, row by row against what Linux's own code did: src/pmu/semantics.md §7.6. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import type { ScriptAction } from '../../schemas/script.js';
import { findKernel } from '../../src/pmu/kernels/index.js';
import type { Host } from '../../src/service/hosts/host.js';
import { act, differenceFrom, hostOf, placeOf, type Write } from './host-sequences.js';

type OpenAction = Extract<ScriptAction, { action: 'open_event' }>;
type NmiAction = Extract<ScriptAction, { action: 'nmi' }>;
type Attributes = Partial<Omit<OpenAction, 'action'>>;

interface Step {
  readonly action: string;
  readonly nmi?: { readonly at: string; readonly throttle?: string; readonly overflow?: string };
  readonly writes: readonly Write[];
  readonly after?: Readonly<Record<string, string | number>>;
}

interface Row {
  readonly kernel: string;
  readonly cpu_model: string;
  readonly title: string;
  readonly steps: readonly Step[];
}

// The mediated vPMU is no part of the model, so its rows are left out.
const rows = (
  JSON.parse(readFileSync('test/conformance/host-hazards.json', 'utf8')) as Row[]
).filter(({ title }) => !title.startsWith('mediated vPMU'));

const byPeriod = { sample_period: 100003 };
const byFrequency = { sample_freq: 4000 };

/** A plain host-only event; the attributes given replace these. */
function plain(name: string, counter: string, attributes: Attributes = byPeriod): OpenAction {
  return { action: 'open_event', name, counter, exclude_guest: true, ...attributes };
}

function pebs(name: string, counter: string, attributes: Attributes = byPeriod): OpenAction {
  return plain(name, counter, { precise_ip: 2, ...attributes });
}

/** A second event as a member of the first one's group. */
function group(leader: OpenAction, sibling: OpenAction): OpenAction[] {
  return [leader, { ...sibling, group_leader: 'leader' }];
}

function twoPebs(attributes: Attributes): OpenAction[] {
  return [pebs('e0', 'PMC0', attributes), pebs('e1', 'PMC1', attributes)];
}

const plainLeader = group(plain('leader', 'PMC1'), pebs('sibling', 'PMC0'));

/** What a title means by "the events", in the order of their opening; the first that fits. */
const EVENTS: readonly (readonly [title: RegExp, events: OpenAction[]])[] = [
  [/^FIXED_CTR_CTRL realistic/, [plain('e0', 'FIXED0'), plain('e1', 'FIXED1')]],
  [/FIXED_CTR_CTRL: /, [plain('e0', 'FIXED0')]],
  [
    /guest-only event$/,
    [plain('e0', 'PMC0', { ...byPeriod, exclude_host: true, exclude_guest: false })],
  ],
  [/^H1 beside a PEBS event PMC2|and PEBS event PMC2/, [pebs('PMC2', 'PMC2'), ...plainLeader]],
  [/^H1 fixed leader/, group(plain('leader', 'FIXED1'), pebs('sibling', 'PMC0'))],
  [
    /^H1 frequency mode/,
    group(plain('leader', 'PMC1', byFrequency), pebs('sibling', 'PMC0', byFrequency)),
  ],
  [/PEBS leader PMC0, PEBS sibling PMC1/, group(pebs('leader', 'PMC0'), pebs('sibling', 'PMC1'))],
  [
    /^H1 sibling|^PEBS leader PMC0 with plain sibling PMC1/,
    group(pebs('leader', 'PMC0'), plain('sibling', 'PMC1')),
  ],
  [/^H1|^H3 by a group/, plainLeader],
  [/^H2 single event|^H3: /, [pebs('e0', 'PMC0')]],
  [/^H2 freq/, twoPebs(byFrequency)],
  [/^H2 large/, twoPebs({ ...byPeriod, large_pebs: true })],
  [/^H2|^H3 two events/, twoPebs(byPeriod)],
];

function eventsOf({ title }: Row): OpenAction[] {
  const found = EVENTS.find(([pattern]) => pattern.test(title));
  if (found === undefined) throw new Error(`which events does "${title}" mean?`);
  return found[1];
}

/** The counters of a mask, by name. */
function countersOf(mask = '0x0'): string[] {
  const bits = BigInt(mask);
  const names = (first: number, count: number, name: string) =>
    Array.from({ length: count }, (_, at) => at)
      .filter((at) => bits & (1n << BigInt(first + at)))
      .map((at) => `${name}${at}`);
  return [...names(0, 8, 'PMC'), ...names(32, 4, 'FIXED')];
}

/** The actions of a step whose writes were recorded. */
function actionsOf(row: Row, step: Step): ScriptAction[] {
  const { action, nmi } = step;
  const inject =
    nmi === undefined || nmi.at === 'idle'
      ? {}
      : { inject: [{ at: placeOf(nmi.at), occurrence: 1, nmi: latched(nmi) }] };
  const events = eventsOf(row);
  const verb = /\b(enable|disable|close) (\w+)/.exec(action);
  if (action === 'open the events') {
    return hasPmi(row) ? events : [...events, pmiOfLeader(events)];
  }
  if (action.startsWith('PMI')) {
    return [nmi === undefined ? pmiOfLeader(events) : { action: 'nmi', cpu: 0, ...latched(nmi) }];
  }
  if (action === 'empty PMU section') {
    return [
      { action: 'pmu_disable', cpu: 0 },
      { action: 'pmu_enable', cpu: 0, ...inject },
    ];
  }
  if (action === 'tick') {
    const tick = { action: 'tick', cpu: 0, ...inject } as const;
    // This row was recorded with one more event, on the counter whose bit is stuck.
    const last = plain('last', 'PMC0', { ...byPeriod, exclude_guest: false });
    return row.title.startsWith('H2: two :pp events') ? [tick, last] : [tick];
  }
  if (action.startsWith('open ')) {
    const counter = action.slice(-4);
    return [action.startsWith('open PEBS') ? pebs('new', counter) : plain('new', counter)];
  }
  if (verb !== null) {
    return [{ action: `${verb[1] as 'enable'}_event`, event: verb[2]!, ...inject }];
  }
  throw new Error(`what is "${action}"?`);
}

function latched({ throttle, overflow }: { throttle?: string; overflow?: string }) {
  return { throttle: countersOf(throttle), overflow: countersOf(overflow) };
}

/** Rows of the kernel that was put together do not say what the NMI found, and may have it among the opening's writes. */
function hasPmi({ kernel, steps }: Row): boolean {
  return !kernel.includes('group throttling') || steps.some(({ action }) => /^PMI/.test(action));
}

function pmiOfLeader([leader]: OpenAction[]): NmiAction {
  return { action: 'nmi', cpu: 0, throttle: [leader!.counter!] };
}

/** What happened unrecorded before a step's registers were read: an event that is enabled later was disabled. */
function unrecordedOf({ steps }: Row, step: Step): ScriptAction[] {
  if (step.action !== 'open the events') return [];
  return steps.flatMap(({ action }) =>
    action.startsWith('enable ') ? [{ action: 'disable_event', event: action.slice(7) }] : [],
  );
}

/** Where a row differs first, in words; undefined where in nothing. */
async function firstDifference(row: Row): Promise<string | undefined> {
  let host = hostFor(row);
  for (const [at, step] of row.steps.entries()) {
    const recorded = await act(host, actionsOf(row, step));
    const unrecorded = unrecordedOf(row, step);
    const after = unrecorded.length === 0 ? recorded : await act(recorded.host, unrecorded);
    host = after.host;
    // The reservation of the DS areas was not recorded.
    const writes = recorded.writes.filter(([msr]) => msr !== 'IA32_DS_AREA');
    const difference = differenceFrom(step, { ...recorded, ...after, writes });
    if (difference !== undefined) return `step ${at} ${step.action}: ${difference}`;
  }
  return undefined;
}

function hostFor({ kernel, cpu_model }: Row): Host {
  return findKernel(kernel) === undefined
    ? hostOf(cpu_model, 'linux-6.12.117', true)
    : hostOf(cpu_model, kernel);
}

t.equal(rows.length, 87, 'all rows are there');
for (const row of rows) {
  t.test(`${row.kernel}, ${row.cpu_model}: ${row.title}`, async (t) => {
    t.equal(await firstDifference(row), undefined);
  });
}
