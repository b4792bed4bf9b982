/** The formats in which a path can be taken away: what they say, read by programs that are not ours where these are at hand. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import t, { type Test } from 'tap';
import { FORMATS } from '../../src/model/exports/formats.js';
import { framesOf, type Recording } from '../../src/model/exports/recording.js';
import { msrIndex, PEBS_ENABLE } from '../../src/pmu/arch/msr.js';
import { TOLD_MSRS } from '../../src/pmu/machine/registers.js';
import { DESIRED, VALUE } from '../../src/pmu/stepping/frame.js';
import { traceFile } from '../../src/service/hosts/trace-file.js';
import { framed } from '../../src/service/hosts/trace-views.js';
import { fileOf, type Shown, shownOnes, written } from './golden-exports.js';
import { liveSession } from './live-host.js';

const all = await shownOnes();
const [race] = all as [Shown, ...Shown[]];
const PEBS = TOLD_MSRS.indexOf(PEBS_ENABLE);

/** A Debian package's program, or null after a comment that says what is not tested. */
function tool(t: Test, name: string): string | null {
  const isThere = spawnSync('which', [name]).status === 0;
  if (!isThere) t.comment(`${name} is not installed: this reader is not tried`);
  return isThere ? name : null;
}

t.test('the files are as those in test/exports', async (t) => {
  for (const one of all) {
    for (const format of one.formats) {
      const file = fileOf(one, format);
      t.equal(await written(one, format), readFileSync(file, 'utf8'), file);
    }
  }
});

interface Dump {
  /** By full name, the id. */
  readonly ids: Map<string, string>;
  /** By time, what signals hold: the id, and the value. */
  readonly at: Map<number, Map<string, string>>;
}

/** A small reader of VCD, for dumps of ours and of fst2vcd. */
function parseVcd(text: string): Dump {
  const ids = new Map<string, string>();
  const at = new Map<number, Map<string, string>>();
  const scopes: string[] = [];
  const now = new Map<string, string>();
  let time = -1;
  for (const line of text.split('\n')) {
    const variable = /^\$var \w+ \d+ (\S+) (\S+)/.exec(line);
    const vector = /^[bs](\S+) (\S+)$/.exec(line);
    const scalar = /^([01xz])(\S+)$/.exec(line);
    if (line.startsWith('$scope')) scopes.push(line.split(' ')[2]!);
    else if (line.startsWith('$upscope')) scopes.pop();
    else if (variable !== null) ids.set([...scopes, variable[2]].join('.'), variable[1]!);
    else if (line.startsWith('#')) {
      const next = Number(line.slice(1));
      if (next <= time) throw new Error(`time goes from ${time} to ${next}`);
      time = next;
      at.set(time, new Map(now));
    } else if (vector !== null || scalar !== null) {
      const [, value, id] = (vector ?? scalar)!;
      const short = value!.replace(/^[0z]+(?=.)/, '').replace(/^x+$/, 'x');
      now.set(id!, short);
      at.get(time)?.set(id!, short);
    }
  }
  return { ids, at };
}

function valueAt({ ids, at }: Dump, time: number, name: string): string | undefined {
  const id = ids.get(name);
  return id === undefined ? undefined : at.get(time)?.get(id);
}

t.test('a VCD holds every register as it is after each step', async (t) => {
  for (const one of all) {
    const dump = parseVcd(await written(one, 'vcd'));
    t.equal(new Set(dump.ids.values()).size, dump.ids.size, 'every signal has an id of its own');
    for (const { number, after } of one.recording.steps) {
      after?.cpus.forEach((columns, cpu) => {
        for (const [name, column] of [
          ['IA32_PEBS_ENABLE', VALUE + PEBS],
          ['IA32_PEBS_ENABLE_desired', DESIRED + PEBS],
          ['shadow.pebs_enabled', DESIRED + PEBS],
        ] as const) {
          const value = valueAt(dump, number, `cpu${cpu}.${name}`);
          t.equal(value, columns[column]!.toString(2), `${one.name}, ${number}: ${name}`);
        }
      });
    }
  }
  const dump = parseVcd(await written(race, 'vcd'));
  const last = race.recording.steps.length;
  const bit = (name: string) => valueAt(dump, last, `cpu0.IA32_PEBS_ENABLE_bits.PMC0${name}`);
  t.strictSame([bit(''), bit('_desired'), bit('_stuck'), bit('_lost')], ['1', '0', '1', '0']);
  t.equal(valueAt(dump, last, 'cpu0.violated.I1'), '1');
  t.equal(valueAt(dump, last - 1, 'cpu0.violated.I1'), '0');
  t.equal(valueAt(dump, 0, 'v0.vm_exit_load.IA32_PEBS_ENABLE'), 'z', 'no entry yet');
  t.equal(valueAt(dump, last, 'v0.vm_exit_load.IA32_PEBS_ENABLE'), '1', 'loaded at the end');
});

t.test('GTKWave reads the VCD', async (t) => {
  const there = [tool(t, 'vcd2fst'), tool(t, 'fst2vcd')];
  if (there.includes(null)) return;
  const folder = mkdtempSync(join(tmpdir(), 'pebslab-vcd-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [vcd, fst, back] = ['a.vcd', 'a.fst', 'b.vcd'].map((name) => join(folder, name));
  for (const one of all) {
    writeFileSync(vcd!, await written(one, 'vcd'));
    for (const [program, ...args] of [
      ['vcd2fst', vcd!, fst!],
      ['fst2vcd', '-f', fst!, '-o', back!],
    ] as const) {
      const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
      t.equal(status, 0, `${program} ${stderr}`);
    }
    const [ours, theirs] = [vcd!, back!].map((file) => parseVcd(readFileSync(file, 'utf8')));
    t.strictSame([...theirs!.ids.keys()], [...ours!.ids.keys()], 'the same signals');
    for (const [time, values] of theirs!.at) {
      for (const [name, id] of theirs!.ids) {
        // The event has no value between two of them.
        if (name.endsWith('.nmi')) continue;
        const value = values.get(id);
        if (value === valueAt(ours!, time, name)) continue;
        t.equal(value, valueAt(ours!, time, name), `${one.name}, ${time}: ${name}`);
      }
    }
    t.ok(theirs!.at.size > 10);
  }
});

/** Apalache ADR-015, the part of values that it calls ITF. */
const ITF = {
  type: 'object',
  required: ['vars', 'states'],
  properties: {
    '#meta': { type: 'object' },
    vars: { type: 'array', items: { type: 'string' }, minItems: 1, uniqueItems: true },
    states: { type: 'array', minItems: 1, items: { $ref: '#/$defs/state' } },
    params: { type: 'array', items: { type: 'string' } },
    loop: { type: 'integer' },
  },
  additionalProperties: false,
  $defs: {
    state: {
      type: 'object',
      properties: { '#meta': { type: 'object' } },
      patternProperties: { '^[^#]': { $ref: '#/$defs/value' } },
      additionalProperties: false,
    },
    value: {
      anyOf: [
        { type: ['string', 'boolean'] },
        { type: 'integer', minimum: -(2 ** 53) + 1, maximum: 2 ** 53 - 1 },
        tagged('#bigint', { type: 'string', pattern: '^-?[0-9]+$' }),
        { type: 'array', items: { $ref: '#/$defs/value' } },
        tagged('#set', { type: 'array', items: { $ref: '#/$defs/value' } }),
        tagged('#tup', { type: 'array', items: { $ref: '#/$defs/value' } }),
        {
          type: 'object',
          patternProperties: { '^[^#]': { $ref: '#/$defs/value' } },
          additionalProperties: false,
        },
      ],
    },
  },
};

function tagged(tag: string, schema: object): object {
  return {
    type: 'object',
    required: [tag],
    properties: { [tag]: schema },
    additionalProperties: false,
  };
}

t.test(
  'an ITF trace is one by its specification, and sets every variable in every state',
  async (t) => {
    const trace = JSON.parse(await written(race, 'itf'));
    const validate = new Ajv({ strict: false }).compile(ITF);
    t.ok(validate(trace), JSON.stringify(validate.errors));
    t.notOk(validate({ ...trace, states: [{ x: 1.5 }] }), 'the schema refuses what is none');
    t.equal(trace.states.length, race.recording.steps.length + 1);
    for (const state of trace.states) {
      t.strictSame(Object.keys(state).slice(1), trace.vars);
    }
    const last = trace.states.at(-1);
    t.strictSame(last.cpu0_IA32_PEBS_ENABLE, { '#set': ['PMC0'] });
    t.strictSame(last.cpu0_IA32_PEBS_ENABLE_desired, { '#set': [] });
    t.strictSame(last.cpu0_IA32_DS_AREA, { '#bigint': String(0xfffffe0000016000n) });
  },
);

interface ChromeEvent {
  readonly ph: string;
  readonly pid: number;
  readonly tid?: number;
  readonly ts: number;
  readonly dur?: number;
  readonly name: string;
  readonly id?: number;
  readonly args?: { readonly [name: string]: unknown };
}

t.test(
  'in a Chrome trace slices nest, times grow, and arrows lead from list to load',
  async (t) => {
    for (const one of all) {
      const { traceEvents } = JSON.parse(await written(one, 'chrome')) as {
        traceEvents: ChromeEvent[];
      };
      let time = 0;
      const ends = new Map<number, number>();
      for (const { ph, pid, tid, ts, dur = 0, name } of traceEvents) {
        t.ok(Number.isInteger(pid) && ts >= time && name !== '', `${ph} ${name} at ${ts}`);
        time = ts;
        if (ph !== 'X') continue;
        t.ok(ts >= (ends.get(tid!) ?? 0), `the slice before it has ended: ${name} at ${ts}`);
        ends.set(tid!, ts + dur);
      }
      const slices = traceEvents.filter(({ ph }) => ph === 'X');
      t.equal(slices.length, one.recording.steps.length, 'a slice a step');
      const named = traceEvents.filter(({ name }) => name === 'thread_name').map(({ tid }) => tid);
      t.strictSame(
        new Set(slices.map(({ tid }) => tid)),
        new Set(named),
        'every thread has a name',
      );
      for (const begin of traceEvents.filter(({ ph }) => ph === 's')) {
        const end = traceEvents.find(({ ph, id }) => ph === 'f' && id === begin.id);
        const [from, to] = [begin, end].map((arrow) =>
          slices.find(({ tid, ts }) => tid === arrow?.tid && ts === arrow?.ts),
        );
        t.equal(from?.name, `k5_switch:${begin.name}`);
        t.match(to?.name, /^v[1256]_/);
        t.match(JSON.stringify(to?.args), `${begin.name} := `, 'which loads it');
      }
    }
    const { traceEvents } = JSON.parse(await written(race, 'chrome'));
    const loads = race.recording.steps
      .flatMap(({ writes }) => writes)
      .filter(({ via }) => via >= 2);
    const arrows = traceEvents.filter(({ ph }: ChromeEvent) => ph === 'f');
    t.equal(arrows.length, loads.length, 'all loads of the race come from lists built in it');
    const counters = traceEvents.filter(({ ph }: ChromeEvent) => ph === 'C');
    t.match(counters.at(-1), { args: { hardware: 1, desired: 0 } }, 'stuck');
  },
);

/** As Linux 6.1 prints it: TASK-PID [CPU] FLAGS TIME: EVENT: TEXT. */
const FTRACE =
  /^ *(.+)-(\d+) +\[(\d{3})\] ([d.])([.nN])([.zZhHs])([.\d])([.\d]) +(\d+\.\d{6}): (\w+): (.*)$/;

interface Printed {
  readonly comm: string;
  readonly cpu: number;
  readonly context: string;
  readonly event: string;
  readonly text: string;
}

function printed(text: string): Printed[] {
  return text
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map((line) => {
      const found = FTRACE.exec(line);
      if (found === null) throw new Error(line);
      const [, comm = '', , cpu, , , context = '', , , , event = '', rest = ''] = found;
      return { comm, cpu: Number(cpu), context, event, text: rest };
    });
}

t.test('ftrace text is what Linux would print', async (t) => {
  const text = await written(race, 'ftrace');
  const lines = printed(text);
  t.match(text, `# entries-in-buffer/entries-written: ${lines.length}/${lines.length} `);
  const writes = race.recording.steps.flatMap(({ writes, actor }) =>
    writes.filter(({ via }) => via < 2).map(({ msr }) => ({ msr: msrIndex(msr), actor })),
  );
  const told = lines.filter(({ event }) => event === 'write_msr');
  t.strictSame(
    told.map((line) => Number.parseInt(line.text, 16)),
    writes.map(({ msr }) => msr),
    'every WRMSR of software, and no other',
  );
  for (const line of told) t.match(line.text, /^[0-9a-f]+, value (0|[1-9a-f][0-9a-f]*)$/);
  t.strictSame(
    told.map(({ context }) => context === 'Z'),
    writes.map(({ actor }) => actor === 'nmi'),
    'NMI context is told by its flag',
  );
  t.ok(lines.every(({ comm }) => comm === 'CPU 0/KVM'));
  const marks = lines.filter(({ event }) => event === 'tracing_mark_write');
  t.ok(
    marks.some((line) => line.text === 'vm_exit_load: 3f1, value 1'),
    'what makes it stuck',
  );
  t.equal(lines[0]?.event, 'kvm_entry', 'before the MSRs are switched');
});

t.test('JSON Lines have a line a step, and jq reads them', async (t) => {
  const text = await written(race, 'jsonl');
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.equal(lines.length, race.recording.steps.length);
  t.strictSame(lines.at(-1).registers.IA32_PEBS_ENABLE, {
    value: '0x0000000000000001',
    desired: '0x0000000000000000',
    stuck: ['PMC0'],
    lost: [],
  });
  if (tool(t, 'jq') === null) return;
  const { status, stdout } = spawnSync('jq', ['-c', '.'], { input: text, encoding: 'utf8' });
  t.equal(status, 0);
  t.equal(stdout, text, 'and writes them as they are');
});

t.test('the trace of a host that replays the path is the same recording', async (t) => {
  const { recording } = race;
  const { host, entries } = await liveSession(race.model, race.path);
  // The script also sets the world up.
  const tail = framed(host, entries).slice(-recording.steps.length);
  const live = printed((await traceFile(host, tail, 'ftrace', false)).text);
  const searched = printed(await written(race, 'ftrace'));
  const events = (lines: readonly Printed[]) => lines.map(({ event }) => event);
  t.strictSame(events(live), events(searched));
  const traced = (lines: readonly Printed[]) =>
    lines.filter(({ event }) => event !== 'tracing_mark_write');
  t.strictSame(traced(live), traced(searched));
  t.strictSame(
    framesOf(recordingOf(tail, recording)).slice(1),
    framesOf(recording).slice(1),
    'with the same registers, lists, load areas and violations',
  );
});

function recordingOf(tail: ReturnType<typeof framed>, { steps, ...rest }: Recording): Recording {
  const framedSteps = tail.map(({ before, after }, at) => ({ ...steps[at]!, before, after }));
  return { ...rest, steps: framedSteps };
}

t.test('what a trace does not tell is x, or left out', async (t) => {
  const { recording } = race;
  const cut = recording.steps.map((step, at) =>
    at < 5 ? { ...step, before: null, after: at < 4 ? null : step.after } : step,
  );
  const dump = parseVcd(writtenOf('vcd', { ...recording, steps: cut }));
  t.equal(valueAt(dump, 0, 'cpu0.IA32_PEBS_ENABLE'), 'x');
  t.equal(valueAt(dump, 4, 'cpu0.IA32_PEBS_ENABLE_bits.PMC0'), 'x');
  t.equal(valueAt(dump, 5, 'cpu0.IA32_PEBS_ENABLE'), '1');
  const itf = JSON.parse(writtenOf('itf', { ...recording, steps: cut }));
  t.equal(itf.states.length, recording.steps.length - 5 + 1);
  t.match(itf['#meta'].description, /without the first 5 steps/);
  const [first] = writtenOf('jsonl', { ...recording, steps: cut }).split('\n');
  t.equal(JSON.parse(first!).registers, null);
  t.match(writtenOf('chrome', { ...recording, steps: cut }), '"ph":"X"');
});

t.test('a recording without steps is a file too', async (t) => {
  const empty = { ...race.recording, steps: [] };
  t.equal(valueAt(parseVcd(writtenOf('vcd', empty)), 0, 'cpu0.IA32_PEBS_ENABLE'), '1');
  t.equal(JSON.parse(writtenOf('itf', empty)).states.length, 1);
  t.equal(writtenOf('jsonl', empty), '');
  t.match(writtenOf('ftrace', empty), /^# tracer: nop\n/);
  t.ok(JSON.parse(writtenOf('chrome', empty)).traceEvents.length > 0);
});

function writtenOf(format: 'vcd' | 'itf' | 'jsonl' | 'ftrace' | 'chrome', of: Recording): string {
  const row = FORMATS[format];
  return 'ofRecording' in row ? [...row.ofRecording(of)].join('') : '';
}
