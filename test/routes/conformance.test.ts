/** The calculators against what Linux's own code answered (`test/conformance/README.md`), entry by entry. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { type RoundTripStep, RoundTripsSchema } from '../../schemas/round-trip.js';
import { SwitchListSchema, type SwitchMsr } from '../../schemas/switch-list.js';
import { bodyOf, problemOf } from '../helper.js';
import { openLab } from './lab.js';

/** Two drivers made the files. */
const FIRST_DRIVER = ['upstream-base', 'linux-6.1.192', 'linux-6.12.117'] as const;
const SECOND_DRIVER = ['linux-6.1.187', 'linux-6.12.107', 'linux-7.2.6', 'linux-7.3.4'] as const;
const KERNELS = [...FIRST_DRIVER, ...SECOND_DRIVER] as const;

interface Answers {
  readonly switchLists: readonly {
    readonly cpu: object;
    readonly perf: object;
    readonly kvmPmu: object | null;
    readonly list: readonly { msr: string; host: string; guest: string }[];
  }[];
  readonly roundTrips: readonly { readonly cpu: object; readonly steps: readonly Step[] }[];
}

interface MsrValue {
  readonly msr: string;
  readonly value: string;
}

interface Step {
  readonly perf: object;
  readonly kvmPmu: object | null;
  readonly vmEntryMsrLoad: readonly MsrValue[];
  readonly vmExitMsrLoad: readonly MsrValue[];
  readonly globalCtrlField: { readonly guest: string; readonly host: string } | null;
  readonly nmiThrottleBeforeEntry: string;
  readonly pebsEnabledAtEntry: string;
  readonly inGuest: Readonly<Record<string, string>>;
  readonly afterExit: Readonly<Record<string, string>>;
  readonly writes: {
    readonly explicitWrmsr: number;
    readonly vmEntryMsrLoad: number;
    readonly vmExitMsrLoad: number;
    readonly vmcsField: number;
  };
}

function answersOf(kernel: string): Answers {
  return JSON.parse(readFileSync(join('test', 'conformance', `${kernel}.json`), 'utf8'));
}

/** `intelCtrlGuestMask` is `intel_ctrl_guest_mask` on the wire. */
function toWire(record: object | null): object | null {
  if (record === null) return null;
  const entries = Object.entries(record).map(([name, value]) => [
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    value,
  ]);
  return Object.fromEntries(entries);
}

/** The file writes `0x1`, the service `0x0000000000000001`. */
function wide(value: string): string {
  return `0x${BigInt(value).toString(16).padStart(16, '0')}`;
}

function wideAll(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, wide(value)]));
}

function wideLoads(loads: readonly MsrValue[]): MsrValue[] {
  return loads.map(({ msr, value }) => ({ msr, value: wide(value) }));
}

/** The names of the bits that the exit left set and that perf has clear. */
function stuckNames(step: Step): string[] {
  const value = BigInt(step.afterExit.IA32_PEBS_ENABLE ?? '0x0') & ~BigInt(step.pebsEnabledAtEntry);
  const names: string[] = [];
  for (let bit = 0; bit < 44; bit += 1) {
    if ((value >> BigInt(bit)) & 1n) names.push(bit < 32 ? `PMC${bit}` : `FIXED${bit - 32}`);
  }
  return names;
}

/** A step's answer as the file tells it. */
function expectedOf(step: Step): Partial<RoundTripStep> {
  const { writes } = step;
  return {
    vm_entry_msr_load: wideLoads(step.vmEntryMsrLoad) as RoundTripStep['vm_entry_msr_load'],
    vm_exit_msr_load: wideLoads(step.vmExitMsrLoad) as RoundTripStep['vm_exit_msr_load'],
    global_ctrl_field:
      step.globalCtrlField === null
        ? null
        : { guest: wide(step.globalCtrlField.guest), host: wide(step.globalCtrlField.host) },
    in_guest: wideAll(step.inGuest),
    after_exit: wideAll(step.afterExit),
    pebs_enabled_at_entry: wide(step.pebsEnabledAtEntry),
    stuck: stuckNames(step),
    writes: {
      kvm_wrmsr: writes.explicitWrmsr,
      vm_entry_load: writes.vmEntryMsrLoad,
      vm_exit_load: writes.vmExitMsrLoad,
      vmcs_field: writes.vmcsField,
    },
  };
}

function withoutReason({ why: _why, ...entry }: SwitchMsr): Omit<SwitchMsr, 'why'> {
  return entry;
}

for (const kernel of KERNELS) {
  const answers = answersOf(kernel);

  t.test(`${kernel} returns the kernel's own switch lists, in its order`, async (t) => {
    const lab = await openLab(t);
    t.equal(answers.switchLists.length, 250);
    for (const [at, { cpu, perf, kvmPmu, list }] of answers.switchLists.entries()) {
      const response = await lab.send('POST', '/v1/switch-lists', {
        kernel,
        cpu: toWire(cpu),
        perf: toWire(perf),
        kvm_pmu: toWire(kvmPmu),
      });
      const expected = list.map(({ msr, host, guest }) => ({
        msr,
        host: wide(host),
        guest: wide(guest),
        elided: BigInt(host) === BigInt(guest),
      }));
      const body = response.json();
      t.strictSame(body.list?.map(withoutReason), expected, `switch list ${at}`);
    }
  });

  t.test(`${kernel} makes the kernel's own round trips`, async (t) => {
    const lab = await openLab(t);
    let steps = 0;
    for (const [at, { cpu, steps: asked }] of answers.roundTrips.entries()) {
      const response = await lab.send('POST', '/v1/round-trips', {
        kernel,
        cpu: toWire(cpu),
        steps: asked.map(({ perf, kvmPmu, nmiThrottleBeforeEntry }) => ({
          perf: toWire(perf),
          kvm_pmu: toWire(kvmPmu),
          nmi_throttle_before_entry: nmiThrottleBeforeEntry,
        })),
      });
      const body = bodyOf(t, response, RoundTripsSchema);
      t.equal(body.steps.length, asked.length);
      const otherLists: number[] = [];
      for (const [i, step] of asked.entries()) {
        const { list, ...answer } = body.steps[i] ?? {};
        t.strictSame(answer, expectedOf(step), `round trip ${at}, step ${i}`);
        const alone = await lab.send('POST', '/v1/switch-lists', {
          kernel,
          cpu: toWire(cpu),
          perf: toWire(step.perf),
          kvm_pmu: toWire(step.kvmPmu),
        });
        if (!isDeepStrictEqual(list, alone.json().list)) otherLists.push(i);
        steps += 1;
      }
      t.strictSame(otherLists, [], `round trip ${at}: both calculators return the same lists`);
    }
    t.equal(steps, FIRST_DRIVER.some((first) => first === kernel) ? 268 : 264);
  });
}

const STATE = {
  kernel: 'upstream-base',
  cpu_model: 'emerald-rapids',
  perf: {
    intel_ctrl_guest_mask: 0,
    intel_ctrl_host_mask: 1,
    pebs_enabled: '1',
    active_pebs_data_cfg: '0x2',
    ds: '18446741874686386176',
  },
  kvm_pmu: { ds_area: 0, pebs_data_cfg: 0, pebs_enable: 0, host_cross_mapped_mask: 0 },
};

t.test('a value means the same as hex, as a decimal string and as a number', async (t) => {
  const lab = await openLab(t);
  const response = await lab.send('POST', '/v1/switch-lists', STATE);
  const { list } = bodyOf(t, response, SwitchListSchema);
  t.strictSame(list.map(withoutReason), [
    {
      msr: 'IA32_PERF_GLOBAL_CTRL',
      host: '0x0001000f000000ff',
      guest: '0x0001000f000000fe',
      elided: false,
    },
    {
      msr: 'IA32_DS_AREA',
      host: '0xfffffe0000016000',
      guest: '0x0000000000000000',
      elided: false,
    },
    {
      msr: 'MSR_PEBS_DATA_CFG',
      host: '0x0000000000000002',
      guest: '0x0000000000000000',
      elided: false,
    },
    {
      msr: 'IA32_PEBS_ENABLE',
      host: '0x0000000000000001',
      guest: '0x0000000000000000',
      elided: false,
    },
  ]);
  for (const { why } of list) t.match(why, /KVM loads it/);
});

t.test('a CPU model of the catalogue stands for its traits', async (t) => {
  const lab = await openLab(t);
  const { cpu_model: _model, ...rest } = STATE;
  const cpu = {
    ds_pebs: true,
    pebs_no_isolation: false,
    pebs_ept: true,
    pebs_baseline: true,
    pebs_capable: '0xffffffffffffffff',
    intel_ctrl: '0x1000f000000ff',
  };
  const byTraits = await lab.send('POST', '/v1/switch-lists', { ...rest, cpu });
  const byModel = await lab.send('POST', '/v1/switch-lists', STATE);
  t.strictSame(byTraits.json(), byModel.json());
});

t.test('without a vCPU to ask for, the list is shorter on CPUs with isolation', async (t) => {
  const lab = await openLab(t);
  const response = await lab.send('POST', '/v1/switch-lists', { ...STATE, kvm_pmu: null });
  const { list } = bodyOf(t, response, SwitchListSchema);
  t.strictSame(
    list.map(({ msr }) => msr),
    ['IA32_PERF_GLOBAL_CTRL'],
  );
});

t.test('what cannot be calculated is refused by field', async (t) => {
  const lab = await openLab(t);
  const { perf, ...rest } = STATE;
  const refused = async (
    body: object,
    code: 'validation' | 'value_out_of_range' | 'unknown_name',
  ) => problemOf(t, await lab.send('POST', '/v1/switch-lists', body), code).errors;
  const withPerf = (pebs_enabled: unknown) => ({ ...rest, perf: { ...perf, pebs_enabled } });

  t.match(await refused({ ...STATE, kernel: 'linux-9' }, 'unknown_name'), [
    { pointer: '/kernel', detail: /linux-7.3.4/ },
  ]);
  t.match(await refused({ ...STATE, cpu_model: 'i486' }, 'unknown_name'), [
    { pointer: '/cpu_model', detail: /emerald-rapids/ },
  ]);
  for (const value of ['0x10000000000000000', -1, '-1', '0x', 1.5, true, null, '1e3', [1]]) {
    t.match(await refused(withPerf(value), 'validation'), [{ pointer: '/perf/pebs_enabled' }]);
  }
  for (const value of [2 ** 53, '18446744073709551616', '0x10000', '0x0000100000000000']) {
    t.match(await refused(withPerf(value), 'value_out_of_range'), [
      { pointer: '/perf/pebs_enabled' },
    ]);
  }
  const { pebs_enabled: _gone, ...incomplete } = perf;
  t.match(await refused({ ...rest, perf: incomplete }, 'validation'), [
    { pointer: '/perf/pebs_enabled', detail: 'is required' },
  ]);

  const steps = [
    { perf },
    { perf, kvm_pmu: null },
    { perf: { ...perf, ds: '99999999999999999999' } },
  ];
  const trips = await lab.send('POST', '/v1/round-trips', {
    kernel: STATE.kernel,
    cpu_model: STATE.cpu_model,
    steps,
  });
  t.match(problemOf(t, trips, 'value_out_of_range').errors, [{ pointer: '/steps/2/perf/ds' }]);
});

t.test('a request has 1 to 1,000 round trips', async (t) => {
  const lab = await openLab(t);
  const trips = (count: number) =>
    lab.send('POST', '/v1/round-trips', {
      kernel: 'linux-6.12.117',
      cpu_model: 'emerald-rapids',
      steps: Array(count).fill({ perf: STATE.perf }),
    });
  t.equal(bodyOf(t, await trips(1000), RoundTripsSchema).steps.length, 1000);
  t.match(problemOf(t, await trips(0), 'validation').errors, [{ pointer: '/steps' }]);
  t.match(problemOf(t, await trips(1001), 'validation').errors, [{ pointer: '/steps' }]);
});

t.test(
  'an entry that perf no longer returns stays in the lists: v1, after guest PEBS',
  async (t) => {
    const lab = await openLab(t);
    const guest = {
      ds_area: '0x9000',
      pebs_data_cfg: 0,
      pebs_enable: 1,
      host_cross_mapped_mask: 0,
    };
    const perf = (pebs: 0 | 1, ds: string) => ({
      intel_ctrl_guest_mask: pebs,
      intel_ctrl_host_mask: 0,
      pebs_enabled: pebs,
      active_pebs_data_cfg: 2,
      ds,
    });
    const steps = [
      { perf: perf(1, '0x1000'), kvm_pmu: guest },
      { perf: perf(0, '0x2000'), kvm_pmu: { ...guest, pebs_enable: 0 } },
    ];
    const after = async (kernel: string) => {
      const request = { kernel, cpu_model: 'emerald-rapids', steps };
      const response = await lab.send('POST', '/v1/round-trips', request);
      return bodyOf(t, response, RoundTripsSchema).steps[1]?.after_exit.IA32_DS_AREA;
    };
    t.equal(await after('pebs-v1'), wide('0x1000'), 'v1 loads the DS area of another CPU (H7)');
    for (const kernel of ['upstream-base', 'pebs-v2', 'linux-6.12.117']) {
      t.equal(await after(kernel), wide('0x2000'), `${kernel} does not`);
    }
  },
);
