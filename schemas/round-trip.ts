/** Successive runs of one vCPU from given perf states; the lists persist from run to run. */
import { type Static, Type } from 'typebox';
import {
  BitNameSchema,
  count,
  GlobalCtrlFieldSchema,
  MSR_NAMES,
  type MsrName,
  msrValues,
  nullable,
  ref,
  SlugSchema,
  U64InputSchema,
  U64Schema,
} from './common.js';
import { symbolMeanings } from './invariant.js';
import {
  CPU_BY_MODEL_OR_TRAITS,
  CpuTraitsSchema,
  KvmPmuSchema,
  PerfStateSchema,
  SwitchMsrSchema,
} from './switch-list.js';

const STEP_REQUEST_EXAMPLE = {
  perf: {
    intel_ctrl_guest_mask: '0x0',
    intel_ctrl_host_mask: '0x1',
    pebs_enabled: '0x1',
    active_pebs_data_cfg: '0x0',
    ds: '0xfffffe0000016000',
  },
  kvm_pmu: null,
  nmi_throttle_before_entry: '0x1',
};

export const RoundTripStepRequestSchema = Type.Object(
  {
    perf: ref(PerfStateSchema),
    kvm_pmu: Type.Optional(ref(KvmPmuSchema)),
    nmi_throttle_before_entry: Type.Optional(
      ref(
        U64InputSchema,
        'counters whose events an NMI throttles after the lists are applied, before VM-entry',
      ),
    ),
  },
  {
    $id: 'RoundTripStepRequest',
    additionalProperties: false,
    description: 'the state in which a run of the vCPU begins',
    examples: [STEP_REQUEST_EXAMPLE],
  },
);
export type RoundTripStepRequest = Static<typeof RoundTripStepRequestSchema>;

export const RoundTripsRequestSchema = Type.Object(
  {
    kernel: ref(SlugSchema),
    cpu_model: Type.Optional(ref(SlugSchema)),
    cpu: Type.Optional(ref(CpuTraitsSchema)),
    steps: Type.Array(ref(RoundTripStepRequestSchema), {
      minItems: 1,
      maxItems: 1000,
      description: 'the runs, in order',
    }),
  },
  {
    $id: 'RoundTripsRequest',
    additionalProperties: false,
    ...CPU_BY_MODEL_OR_TRAITS,
    description: 'successive runs of one vCPU, whose lists start empty',
    examples: [
      {
        kernel: 'linux-7.2.6',
        cpu_model: 'emerald-rapids',
        steps: [STEP_REQUEST_EXAMPLE],
      },
    ],
  },
);
export type RoundTripsRequest = Static<typeof RoundTripsRequestSchema>;

const msrRecord = (description: string) =>
  Type.Unsafe<Partial<Record<MsrName, string>>>(
    Type.Object(
      Object.fromEntries(MSR_NAMES.map((name) => [name, Type.Optional(ref(U64Schema))] as const)),
      { additionalProperties: false, description },
    ),
  );

export const RoundTripWritesSchema = Type.Object(
  {
    kvm_wrmsr: count('explicit WRMSRs by KVM'),
    vm_entry_load: count('loads from the VM-entry MSR-load area'),
    vm_exit_load: count('loads from the VM-exit MSR-load area'),
    vmcs_field: count('loads of IA32_PERF_GLOBAL_CTRL from VMCS fields'),
  },
  {
    $id: 'RoundTripWrites',
    additionalProperties: false,
    description: 'the MSR writes of one round trip, by mechanism',
    examples: [{ kvm_wrmsr: 1, vm_entry_load: 2, vm_exit_load: 2, vmcs_field: 2 }],
  },
);

const STEP_EXAMPLE = {
  list: [],
  vm_entry_msr_load: [],
  vm_exit_msr_load: [],
  global_ctrl_field: null,
  in_guest: { IA32_PEBS_ENABLE: '0x0000000000000000' },
  after_exit: { IA32_PEBS_ENABLE: '0x0000000000000001' },
  pebs_enabled_at_entry: '0x0000000000000000',
  stuck: ['PMC0'],
  writes: { kvm_wrmsr: 1, vm_entry_load: 2, vm_exit_load: 2, vmcs_field: 2 },
};

export const RoundTripStepSchema = Type.Object(
  {
    list: Type.Array(ref(SwitchMsrSchema), { maxItems: 64, description: 'what perf returned' }),
    vm_entry_msr_load: msrValues('the VM-entry MSR-load area'),
    vm_exit_msr_load: msrValues('the VM-exit MSR-load area'),
    global_ctrl_field: nullable(
      ref(GlobalCtrlFieldSchema),
      'the VMCS fields; null if they load nothing',
    ),
    in_guest: msrRecord('the hardware values when the guest starts running'),
    after_exit: msrRecord('the hardware values after the VM-exit'),
    pebs_enabled_at_entry: ref(U64Schema, 'the IA32_PEBS_ENABLE that perf wanted at VM-entry'),
    stuck: Type.Array(ref(BitNameSchema), {
      maxItems: 64,
      description: 'bits of IA32_PEBS_ENABLE that are set after the exit but clear in pebs_enabled',
    }),
    writes: ref(RoundTripWritesSchema),
  },
  {
    $id: 'RoundTripStep',
    additionalProperties: false,
    description: 'the outcome of one run',
    examples: [STEP_EXAMPLE],
  },
);
export type RoundTripStep = Static<typeof RoundTripStepSchema>;

export const RoundTripsSchema = Type.Object(
  {
    steps: Type.Array(ref(RoundTripStepSchema), { maxItems: 1000, description: 'run by run' }),
    symbols: symbolMeanings('the letters in the formulas of `why` in the lists'),
  },
  {
    $id: 'RoundTrips',
    additionalProperties: false,
    description: 'the outcomes of the runs, in order',
    examples: [{ steps: [STEP_EXAMPLE], symbols: [] }],
  },
);
export type RoundTrips = Static<typeof RoundTripsSchema>;
