/** Micro-steps and coverage goals as the catalogue lists them, and the letters that stand beside predicates and formulas. */
import t from 'tap';
import {
  CoverageGoalPageSchema,
  CoverageGoalSchema,
  MicroStepPageSchema,
  MicroStepSchema,
} from '../../schemas/catalogue.js';
import { InvariantSchema } from '../../schemas/invariant.js';
import { RoundTripsSchema } from '../../schemas/round-trip.js';
import { SwitchListSchema } from '../../schemas/switch-list.js';
import { nmiMayLandAfter, STEP_NAMES, stepCode } from '../../src/pmu/machine/micro-step.js';
import { bodyOf, problemOf } from '../helper.js';
import { openLab } from './lab.js';

t.test('micro-steps', async (t) => {
  const lab = await openLab(t);
  const { items } = bodyOf(t, await lab.get('/v1/micro-steps?limit=1000'), MicroStepPageSchema);
  t.strictSame(
    items.map(({ id }) => id).sort(),
    [...STEP_NAMES.filter((name) => name !== 'rest'), 'k5_switch'].sort(),
    'has every one of the engine once, and the name for the last of k5',
  );
  for (const item of items) {
    const one = await lab.get(`/v1/micro-steps/${encodeURIComponent(item.id)}`);
    t.strictSame(bodyOf(t, one, MicroStepSchema), item, `${item.id} alone is as in the list`);
    t.equal(item.nmi_may_land_after, nmiMayLandAfter(stepCode(item.id) ?? 0), item.id);
  }
  t.strictSame(
    items.filter((item) => !item.nmi_may_land_after).map(({ id }) => id),
    [
      'k9_vmlaunch',
      'v1_guest_state',
      'v2_entry_load',
      'v4_save',
      'v5_host_state',
      'v6_exit_load',
      'v6_vmx_abort',
    ],
    'no NMI lands while the hardware enters and leaves the guest',
  );
  t.match(
    items.find(({ id }) => id === 'k5_switch:IA32_PEBS_ENABLE'),
    {
      statement: /writes 0 to the register/,
      sources: ['arch/x86/kvm/vmx/vmx.c atomic_switch_perf_msrs()', 'src/pmu/semantics.md §4'],
    },
  );
  const problem = problemOf(t, await lab.get('/v1/micro-steps/k5_swich'), 'not_found');
  t.match(problem.detail, /no micro-step k5_swich, did you mean "k5_switch"\?/);
  problemOf(t, await lab.get('/v1/micro-steps/rest'), 'not_found');
  problemOf(t, await lab.get('/v1/micro-steps/K5'), 'not_found');
});

t.test('an NMI is taken where the catalogue says that it may land, and nowhere else', async (t) => {
  const lab = await openLab(t);
  const { items } = bodyOf(t, await lab.get('/v1/micro-steps?limit=1000'), MicroStepPageSchema);
  const at = new Map(items.map(({ id, nmi_may_land_after }) => [id, nmi_may_land_after]));
  for (const id of [
    'k4_list_build',
    'k8_prepare',
    'k9_vmlaunch',
    'v2_entry_load',
    'v6_exit_load',
  ]) {
    const { path } = await lab.host();
    const response = await lab.send('POST', `${path}/scripts`, {
      actions: [
        { action: 'add_vcpu', name: 'guest' },
        {
          action: 'transition',
          vcpu: 'guest',
          kind: 'round_trip',
          inject: [{ at: id, nmi: {} }],
        },
      ],
    });
    t.equal(response.statusCode < 300, at.get(id), `${id}: ${response.statusCode}`);
  }
});

t.test('coverage goals', async (t) => {
  const lab = await openLab(t);
  const { items } = bodyOf(t, await lab.get('/v1/coverage-goals'), CoverageGoalPageSchema);
  for (const item of items) {
    const one = await lab.get(`/v1/coverage-goals/${item.id}`);
    t.strictSame(bodyOf(t, one, CoverageGoalSchema), item, `${item.id} alone is as in the list`);
  }
  const problem = problemOf(t, await lab.get('/v1/coverage-goals/vmx_abor'), 'not_found');
  t.match(problem.detail, /did you mean "vmx_abort"\?/);
  const explored = await lab.app.inject({
    method: 'POST',
    url: '/v1/explorations',
    payload: {
      model: { cpu_model: 'emerald-rapids', kernel: 'linux-7.3.4', vcpus: [{}] },
      properties: items.map(({ id }) => id),
    },
    headers: { prefer: 'wait=60' },
  });
  t.strictSame(
    explored.json().properties.map(({ id }: { readonly id: string }) => id),
    items.map(({ id }) => id),
    'each is a property that an exploration can be asked for',
  );
});

t.test('lists go by pages', async (t) => {
  const lab = await openLab(t);
  for (const list of ['micro-steps', 'coverage-goals']) {
    const all = (await lab.get(`/v1/${list}?limit=1000`)).json().items;
    const seen: unknown[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const response = await lab.get(`/v1/${list}?limit=2${cursor && `&cursor=${cursor}`}`);
      const page = response.json();
      t.ok(page.items.length <= 2);
      t.equal(response.headers.link !== undefined, page.has_more, 'the next page is linked');
      seen.push(...page.items);
      cursor = page.next_cursor;
    }
    t.strictSame(seen, all, list);
    const { etag } = (await lab.get(`/v1/${list}`)).headers;
    const again = await lab.get(`/v1/${list}`, { 'if-none-match': String(etag) });
    t.equal(again.statusCode, 304, `${list}: not changed`);
  }
});

t.test('the letters of predicates and formulas stand beside them', async (t) => {
  const lab = await openLab(t);
  const { predicate, symbols } = bodyOf(t, await lab.get('/v1/invariants/I1'), InvariantSchema);
  t.equal(predicate, 'PE & ~P == 0');
  t.strictSame(
    symbols.map(({ symbol }) => symbol),
    ['PE', 'P'],
  );
  const perf = {
    intel_ctrl_guest_mask: '0x0',
    intel_ctrl_host_mask: '0x1',
    pebs_enabled: '0x1',
    active_pebs_data_cfg: '0x0',
    ds: '0xfffffe0000016000',
  };
  const asked = { kernel: 'linux-7.2.6', cpu_model: 'emerald-rapids' };
  const list = await lab.send('POST', '/v1/switch-lists', { ...asked, perf, kvm_pmu: null });
  const trips = await lab.send('POST', '/v1/round-trips', { ...asked, steps: [{ perf }] });
  for (const answer of [bodyOf(t, list, SwitchListSchema), bodyOf(t, trips, RoundTripsSchema)]) {
    t.strictSame(
      answer.symbols.map(({ symbol }) => symbol),
      ['I', 'GM', 'G0', 'gp', 'xm', 'host PEBS', 'ds'],
    );
  }
});
