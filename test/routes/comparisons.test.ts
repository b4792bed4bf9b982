/**
 * What a round trip costs: the tables of semantics.md §6, cell by cell, and the figures of the cover letters.
 * X are KVM's explicit WRMSRs, E and L the loads of the MSR-load areas at VM-entry and VM-exit, F those of VMCS fields.
 */
import t from 'tap';
import {
  COST_SCENARIOS,
  type Comparison,
  type ComparisonRow,
  ComparisonSchema,
} from '../../schemas/comparison.js';
import type { HostMetrics } from '../../schemas/metrics.js';
import { bodyOf, problemOf } from '../helper.js';
import { type Lab, type LabHost, openLab, table } from './lab.js';

/** K3: PEBS isolated, and under EPT. A cell is X+E+L, or their sum where the sheet gives no more. */
const K3_TABLE = table(`
  scenario | upstream-base | pebs-v1 | linux-6.1.192 | pebs-v2 | linux-6.12.117 | F | saved
  A0       | 0             | 0       | 0             | 0       | 0              | 0 | 0
  A1       | 0+1+1         | 0       | 2             | 0       | 0              | 0 | 2
  A1c      | 0+2+2         | 0       | 4             | 0       | 0              | 0 | 4
  A2       | 2             | 0       | 2             | 0       | 0              | 2 | 2
  B        | 1+2+2         | 0       | 2             | 0       | 0              | 2 | 5
  Bc       | 1+3+3         | 0       | 4             | 0       | 0              | 2 | 7
  C        | 1+3+3         | 4       | 4             | 0+2+2   | 0+2+2          | 2 | 3
  C3       | 1+2+2         | 2       | 2             | 0+1+1   | 0+1+1          | 2 | 3
  D        | 7             | 0       | 4             | 0       | 0              | 2 | 7
  E        | 2             | 0       | 2             | 0       | 0              | 0 | 2
`);
const KERNELS = ['upstream-base', 'pebs-v1', 'linux-6.1.192', 'pebs-v2', 'linux-6.12.117'] as const;

const K3_MODELS = ['sapphire-rapids', 'emerald-rapids', 'ice-lake-sp', 'granite-rapids'];
const K1_MODELS = ['haswell-x', 'broadwell-x', 'comet-lake'];
const K2_MODELS = ['ice-lake', 'cascade-lake', 'alder-lake-p'];
/** In these perf wants PEBS on some counter, so K1 lists IA32_PEBS_ENABLE. */
const WITH_PEBS = ['B', 'Bc', 'C', 'C3', 'D'];

async function compare(lab: Lab, request: object): Promise<ComparisonRow[]> {
  const response = await lab.send('POST', '/v1/comparisons', request);
  return bodyOf(lab.t, response, ComparisonSchema).rows;
}

function find(rows: readonly ComparisonRow[], kernel: string, model: string, scenario: string) {
  const row = rows.find(
    (one) => one.kernel === kernel && one.cpu_model === model && one.scenario === scenario,
  );
  if (row === undefined) throw new Error(`no row ${kernel} ${model} ${scenario}`);
  return row;
}

/** `1+3+3`. */
function split({ per_round_trip: writes }: ComparisonRow): string {
  return `${writes.kvm_wrmsr}+${writes.vm_entry_load}+${writes.vm_exit_load}`;
}

t.test('K3: every cell of the sheet', async (t) => {
  const lab = await openLab(t);
  const rows = await compare(lab, { kernels: KERNELS, cpu_models: K3_MODELS });
  t.equal(rows.length, KERNELS.length * K3_MODELS.length * COST_SCENARIOS.length);
  for (const model of K3_MODELS) {
    for (const { scenario = '', F, saved, ...cells } of K3_TABLE) {
      for (const kernel of KERNELS) {
        const row = find(rows, kernel, model, scenario);
        // On 6.1 Ice Lake-SP is the one model of class K3.
        const isK2 = kernel === 'linux-6.1.192' && model !== 'ice-lake-sp';
        const cell = isK2 ? '0' : (cells[kernel] ?? '');
        const name = `${model} ${scenario} ${kernel}: ${cell}`;
        const shown = cell.includes('+') ? split(row) : String(row.per_round_trip.msr_writes);
        t.equal(shown, cell, name);
        if (!isK2) {
          t.equal(row.per_round_trip.vmcs_field, Number(F), `${name}, F`);
        }
      }
      for (const kernel of ['pebs-v2', 'linux-6.12.117']) {
        const row = find(rows, kernel, model, scenario);
        t.equal(row.saved_against_first, Number(saved), `${model} ${scenario} ${kernel} saves`);
      }
    }
  }
});

t.test('K1: 3 where perf wants PEBS, else none, whatever the kernel', async (t) => {
  const lab = await openLab(t);
  for (const row of await compare(lab, { kernels: KERNELS, cpu_models: K1_MODELS })) {
    const expected = WITH_PEBS.includes(row.scenario) ? '1+1+1' : '0+0+0';
    t.equal(split(row), expected, `${row.cpu_model} ${row.scenario} ${row.kernel}`);
    t.equal(row.saved_against_first, 0);
  }
});

t.test('K2 and K4: none at all', async (t) => {
  const lab = await openLab(t);
  const models = [...K2_MODELS, 'diamond-rapids'];
  for (const row of await compare(lab, { kernels: KERNELS, cpu_models: models })) {
    t.equal(split(row), '0+0+0', `${row.cpu_model} ${row.scenario} ${row.kernel}`);
  }
});

t.test("the cover letters' claims", async (t) => {
  const lab = await openLab(t);
  const cpu_models = ['emerald-rapids'];
  const kernels = ['upstream-base', 'pebs-v1', 'pebs-v2'];
  const rows = await compare(lab, { kernels, cpu_models });
  const row = (kernel: string, scenario: string) => find(rows, kernel, 'emerald-rapids', scenario);
  const loads = (kernel: string, scenario: string): number => {
    const { vm_entry_load, vm_exit_load } = row(kernel, scenario).per_round_trip;
    return vm_entry_load + vm_exit_load;
  };

  t.equal(row('pebs-v2', 'Bc').saved_against_first, 7, 'v2: upwards of 7, with host PEBS');
  t.equal(row('pebs-v2', 'C').saved_against_first, 3, 'v2: 3 with guest PEBS');
  t.equal(
    Math.max(...rows.map(({ saved_against_first }) => saved_against_first)),
    7,
    'and never more',
  );
  for (const [scenario, claim] of [
    ['Bc', 6],
    ['C', 2],
  ] as const) {
    const saved = loads('upstream-base', scenario) - loads('pebs-v2', scenario);
    t.equal(saved, claim, `v1 said ${claim}: it counted loads only`);
    const { kvm_wrmsr } = row('upstream-base', scenario).per_round_trip;
    const { saved_against_first } = row('pebs-v2', scenario);
    t.equal(saved + kvm_wrmsr, saved_against_first, 'and left out the explicit write');
  }
  t.equal(row('upstream-base', 'Bc').per_round_trip.kvm_wrmsr, 1);

  const cycles = [
    ['A1c', 1120, 860],
    ['Bc', 1450, 900],
  ] as const;
  for (const [scenario, before, after] of cycles) {
    t.equal(row('upstream-base', scenario).estimated_cycles, before, `${scenario} before`);
    t.equal(row('pebs-v2', scenario).estimated_cycles, after, `${scenario} after`);
  }
});

t.test(
  'rows come by kernel, model and scenario as asked, an alias under its own name',
  async (t) => {
    const lab = await openLab(t);
    const kernels = ['pebs-v2', 'pebs-v2-4of4', 'upstream-base'];
    const cpu_models = ['haswell-x', 'emerald-rapids'];
    const rows = await compare(lab, { kernels, cpu_models, scenarios: ['Bc', 'A0'] });
    t.strictSame(
      rows.map((row) => `${row.kernel} ${row.cpu_model} ${row.scenario}`),
      kernels.flatMap((kernel) =>
        cpu_models.flatMap((model) => ['A0', 'Bc'].map((id) => `${kernel} ${model} ${id}`)),
      ),
    );
    const cells = (kernel: string) =>
      rows.filter((row) => row.kernel === kernel).map(({ kernel: _kernel, ...rest }) => rest);
    t.strictSame(cells('pebs-v2'), cells('pebs-v2-4of4'), 'v2 is its last patch');
    t.equal(find(rows, 'upstream-base', 'emerald-rapids', 'Bc').saved_against_first, -7);
  },
);

t.test('where perf takes no precise event there is no race, and nothing to write', async (t) => {
  const lab = await openLab(t);
  const response = await lab.send('POST', '/v1/comparisons', {
    kernels: ['linux-6.12.117', 'linux-7.3.4'],
    cpu_models: ['diamond-rapids'],
    verdicts: true,
  });
  for (const row of bodyOf(t, response, ComparisonSchema).rows) {
    const verdict = row.kernel === 'linux-7.3.4' ? 'holds' : 'unreachable';
    t.strictSame(row.race, { prompt: verdict, late: verdict }, `${row.kernel} ${row.scenario}`);
    t.equal(split(row), '0+0+0', `${row.kernel} ${row.scenario}`);
  }
});

t.test('a row that had to count something else says what', async (t) => {
  const lab = await openLab(t);
  const noteOf = async (kernel: string, model: string, scenario: string) => {
    const request = { kernels: [kernel], cpu_models: [model], scenarios: [scenario] };
    return (await compare(lab, request))[0]?.note;
  };
  const noGuestPebs = /^KVM offers no guest PEBS on this CPU: .*excludes the host \(cycles:(p+)G\)/;
  const noPebs = /The kernel finds no PEBS on this CPU/;
  const noDataCfg = /^There is no MSR_PEBS_DATA_CFG on this CPU/;
  for (const [kernel, model, scenarios, note] of [
    ['linux-6.12.117', 'cascade-lake', ['C', 'C3', 'D'], noGuestPebs],
    ['linux-6.1.192', 'emerald-rapids', ['C', 'C3', 'D'], noGuestPebs],
    ['linux-7.3.4', 'diamond-rapids', ['C', 'C3', 'D'], noGuestPebs],
    ['linux-6.12.117', 'diamond-rapids', ['A1c', 'B', 'Bc', 'C', 'C3', 'D'], noPebs],
    ['linux-6.12.117', 'comet-lake', ['E'], /^KVM offers no guest PEBS.* that of A1\.$/],
    ['linux-6.12.117', 'comet-lake', ['A1c', 'Bc'], noDataCfg],
    ['linux-6.12.117', 'alder-lake-p', ['A2'], /^KVM offers no vPMU on this CPU/],
    ['linux-6.12.117', 'emerald-rapids', ['C3'], /^KVM does not raise .* as if it did\.$/],
    ['linux-6.12.117', 'emerald-rapids', ['A0', 'A1', 'A1c', 'A2', 'B', 'Bc', 'C', 'D', 'E'], null],
    ['linux-6.12.117', 'sapphire-rapids', ['C3'], null],
    ['linux-6.12.117', 'comet-lake', ['A0', 'A1', 'A2', 'B'], null],
  ] as const) {
    for (const scenario of scenarios) {
      const said = await noteOf(kernel, model, scenario);
      const name = `${scenario} on ${model}, ${kernel}`;
      if (note === null) t.equal(said, undefined, name);
      else t.match(said, note, name);
    }
  }
  t.match(await noteOf('linux-6.12.117', 'cascade-lake', 'C3'), /cycles:pppG/);
  t.match(
    await noteOf('linux-6.12.117', 'diamond-rapids', 'D'),
    /cycles:H\)\. The kernel .*without PEBS that excludes the host \(cycles:G\)/,
  );
  const without = await lab.app.inject({
    method: 'POST',
    url: '/v1/comparisons',
    payload: { kernels: ['linux-6.12.117'], cpu_models: ['cascade-lake'], scenarios: ['B'] },
    headers: { accept: 'text/csv' },
  });
  t.notMatch(without.body, /note/, 'no note, no column');
});

t.test('CSV and Markdown are the same table', async (t) => {
  const lab = await openLab(t);
  const request = { kernels: KERNELS, cpu_models: ['emerald-rapids', 'haswell-x'] };
  const rows = await compare(lab, request);
  const as = (accept: string) =>
    lab.app.inject({
      method: 'POST',
      url: '/v1/comparisons',
      payload: request,
      headers: { accept },
    });
  const cellsOf = (row: ComparisonRow): string[] => {
    const { per_round_trip, ...rest } = row;
    const flat = { ...rest, ...per_round_trip };
    return columns.map((column) => String(flat[column as keyof typeof flat] ?? ''));
  };

  const csv = await as('text/csv');
  t.match(csv.headers['content-type'], /^text\/csv/);
  t.ok(csv.body.endsWith('\r\n'), 'lines end as RFC 4180 says');
  const [columns = [], ...csvRows] = csv.body
    .trimEnd()
    .split('\r\n')
    .map((line) => line.split(','));
  const fields = new Set(rows.flatMap((row) => Object.keys(flattened(row))));
  t.strictSame([...columns].sort(), [...fields].sort(), 'a column a field');
  t.equal(columns.at(-1), 'note');
  t.strictSame(csvRows, rows.map(cellsOf));

  const markdown = await as('text/markdown');
  t.match(markdown.headers['content-type'], /^text\/markdown/);
  const [grid = '', ...notes] = markdown.body.trimEnd().split('\n\n');
  const lines = grid.split('\n');
  const cells = (line: string) => line.slice(2, -2).split(' | ');
  t.strictSame(cells(lines[0] ?? ''), columns.slice(0, -1));
  t.match(lines[1], /^\|( -+:? \|)+$/);
  t.strictSame(
    lines.slice(2).map(cells),
    csvRows.map((row) => row.slice(0, -1)),
  );
  for (const { note, kernel, cpu_model, scenario } of rows) {
    const name = `${kernel} ${cpu_model} ${scenario}`;
    const below = notes.filter((line) => line.split(': ')[0]?.split(', ').includes(name));
    t.strictSame(
      below.map((line) => line.endsWith(`: ${note}`)),
      note === undefined ? [] : [true],
    );
  }

  t.match((await as('*/*')).headers['content-type'], /^application\/json/);
  t.match((await as('text/html, text/*;q=0.2')).headers['content-type'], /^text\/csv/);
  t.match(
    (await as('text/csv;q=0.1, text/markdown;q=0.9')).headers['content-type'],
    /^text\/markdown/,
  );
  t.strictSame((await as('application/json')).json<Comparison>().rows, rows);
  problemOf(t, await as('image/png'), 'not_acceptable');
});

function flattened(row: ComparisonRow | undefined): object {
  const { per_round_trip, ...rest } = row ?? ({} as ComparisonRow);
  return { ...rest, ...per_round_trip };
}

t.test('what cannot be compared is refused by field', async (t) => {
  const lab = await openLab(t);
  const good = { kernels: ['upstream-base'], cpu_models: ['emerald-rapids'] };
  const refused = async (change: object, code: 'validation' | 'unknown_name') =>
    problemOf(t, await lab.send('POST', '/v1/comparisons', { ...good, ...change }), code).errors;
  t.match(await refused({ kernels: ['upstream-base', 'linux-7'] }, 'unknown_name'), [
    { pointer: '/kernels/1', detail: /There are linux-7\.3\.4/ },
  ]);
  t.match(await refused({ cpu_models: ['pentium'] }, 'unknown_name'), [
    { pointer: '/cpu_models/0' },
  ]);
  t.match(await refused({ scenarios: ['F'] }, 'validation'), [{ pointer: '/scenarios/0' }]);
  t.match(await refused({ kernels: [] }, 'validation'), [{ pointer: '/kernels' }]);
  t.match(await refused({ kernels: ['pebs-v2', 'pebs-v2'] }, 'validation'), [
    { pointer: '/kernels' },
  ]);
  t.match(await refused({ scenario: 'Bc' }, 'validation'), [
    { pointer: '/scenario', detail: /did you mean "scenarios"/ },
  ]);
});

const WATCHDOG = { counter: 'FIXED1', precise_ip: 0, exclude_guest: false, sample_period: 1e6 };
const EVENTSEL = '0x43003c';

/** The scenarios as a client builds them on a live host, in the state they are costed in. */
const LIVE: Readonly<Record<string, (host: LabHost, vcpu: { id: string }) => Promise<unknown>>> = {
  A0: async () => {},
  A1: (host) => host.event(WATCHDOG),
  A1c: async (host) => {
    await host.event(WATCHDOG);
    const { id } = await host.event({ pebs_data_cfg: '0x3' });
    t.equal((await host.lab.send('DELETE', `${host.path}/perf-events/${id}`)).statusCode, 204);
  },
  A2: async (host, vcpu) => {
    await host.event(WATCHDOG);
    await host.wrmsr(vcpu, 'IA32_PERFEVTSEL0', EVENTSEL);
  },
  B: (host) => host.event(),
  Bc: (host) => host.event({ pebs_data_cfg: '0x3' }),
  C: (host, vcpu) => guestPebs(host, vcpu),
  D: async (host, vcpu) => {
    await host.event();
    await guestPebs(host, vcpu);
  },
  E: async (host, vcpu) => {
    await host.event(WATCHDOG);
    await host.wrmsr(vcpu, 'IA32_DS_AREA', '0xffff888000049000');
    await host.wrmsr(vcpu, 'IA32_PEBS_ENABLE', 1);
  },
};

/** The guest counts on its PMC0 and samples with PEBS on its PMC1. */
async function guestPebs(host: LabHost, vcpu: { id: string }): Promise<void> {
  const writes = [
    ['IA32_PERF_GLOBAL_CTRL', '0x0'],
    ['IA32_DS_AREA', '0xffff888000049000'],
    ['IA32_PEBS_ENABLE', '0x2'],
    ['IA32_PERFEVTSEL0', EVENTSEL],
    ['IA32_PERFEVTSEL1', EVENTSEL],
    ['IA32_PERF_GLOBAL_CTRL', '0x3'],
  ] as const;
  for (const [msr, value] of writes) {
    t.notOk((await host.wrmsr(vcpu, msr, value)).gp, `the guest may write ${msr}`);
  }
}

function writesBy(metrics: HostMetrics, via: string): number {
  return metrics.msr_writes
    .filter((item) => item.via === via)
    .reduce((sum, item) => sum + item.count, 0);
}

t.test('a live host writes as often as the table says', async (t) => {
  const lab = await openLab(t);
  const trips = 100;
  for (const [model, kernels] of [
    ['emerald-rapids', ['upstream-base', 'pebs-v1', 'linux-6.12.117']],
    ['haswell-x', ['upstream-base']],
  ] as const) {
    const rows = await compare(lab, { kernels, cpu_models: [model] });
    for (const kernel of kernels) {
      for (const [scenario, setUp] of Object.entries(LIVE)) {
        // Haswell has neither adaptive PEBS nor PEBS for guests.
        if (model === 'haswell-x' && !['A0', 'A1', 'A2', 'B'].includes(scenario)) continue;
        const host = await lab.host(model, kernel);
        const vcpu = await host.vcpu();
        await setUp(host, vcpu);
        await host.move(vcpu, { count: 2 });
        const before = await host.metrics();
        await host.move(vcpu, { count: trips });
        const after = await host.metrics();
        const each = (via: string) => (writesBy(after, via) - writesBy(before, via)) / trips;
        const { msr_writes: _sum, ...expected } = find(
          rows,
          kernel,
          model,
          scenario,
        ).per_round_trip;
        t.strictSame(
          {
            kvm_wrmsr: each('kvm_wrmsr'),
            vm_entry_load: each('vm_entry_load'),
            vm_exit_load: each('vm_exit_load'),
            vmcs_field: each('vmcs_field'),
          },
          expected,
          `${model} ${kernel} ${scenario}`,
        );
        t.strictSame(after.violations, [], `${model} ${kernel} ${scenario} violates nothing`);
        await lab.send('DELETE', host.path);
      }
    }
  }
});
