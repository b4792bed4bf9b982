/** The counts of a host: totals, and what one round trip costs on average. */
import { type Static, Type } from 'typebox';
import { count, oneOf, PmuMsrNameSchema, ref, WriteViaSchema } from './common.js';
import { msrWriteCounts, violationList } from './msr.js';

const average = (description: string) => Type.Number({ minimum: 0, maximum: 1e9, description });

export const MsrWriteAverageSchema = Type.Object(
  {
    msr: ref(PmuMsrNameSchema),
    via: ref(WriteViaSchema),
    count: average('writes per round trip'),
  },
  {
    $id: 'MsrWriteAverage',
    additionalProperties: false,
    description: 'the writes of an MSR by one mechanism, per round trip',
    examples: [{ msr: 'IA32_PEBS_ENABLE', via: 'vm_exit_load', count: 1 }],
  },
);

export const PerRoundTripSchema = Type.Object(
  {
    msr_writes: Type.Array(ref(MsrWriteAverageSchema), {
      maxItems: 500,
      description: 'the MSR writes by register and mechanism',
    }),
    kvm_wrmsr: average('explicit WRMSRs by KVM'),
    perf_wrmsr: average('WRMSRs by perf around VM-entry and VM-exit'),
    vm_entry_load: average('loads from the VM-entry MSR-load area'),
    vm_exit_load: average('loads from the VM-exit MSR-load area'),
    vmcs_field: average('loads of IA32_PERF_GLOBAL_CTRL from VMCS fields'),
    estimated_cycles: average('the estimated cost in cycles'),
  },
  {
    $id: 'PerRoundTrip',
    additionalProperties: false,
    description:
      'averages over the round trips of a host, counting only the writes of VM-entry and VM-exit; all 0 before the first',
    examples: [
      {
        msr_writes: [{ msr: 'IA32_PEBS_ENABLE', via: 'vm_exit_load', count: 1 }],
        kvm_wrmsr: 1,
        perf_wrmsr: 0,
        vm_entry_load: 2,
        vm_exit_load: 2,
        vmcs_field: 2,
        estimated_cycles: 550,
      },
    ],
  },
);

export const CauseWritesSchema = Type.Object(
  {
    kvm_wrmsr: count('explicit WRMSRs by KVM'),
    perf_wrmsr: count('WRMSRs by perf'),
    vm_entry_load: count('loads from the VM-entry MSR-load area'),
    vm_exit_load: count('loads from the VM-exit MSR-load area'),
    vmcs_field: count('loads of IA32_PERF_GLOBAL_CTRL from VMCS fields'),
  },
  {
    $id: 'CauseWrites',
    additionalProperties: false,
    description: 'MSR writes of one cause, by mechanism',
    examples: [{ kvm_wrmsr: 0, perf_wrmsr: 4, vm_entry_load: 0, vm_exit_load: 0, vmcs_field: 0 }],
  },
);

const NO_WRITES = { kvm_wrmsr: 0, perf_wrmsr: 0, vm_entry_load: 0, vm_exit_load: 0, vmcs_field: 0 };

export const WritesByCauseSchema = Type.Object(
  {
    round_trip: ref(CauseWritesSchema, 'from the start of a vCPU run to its end'),
    nmi: ref(CauseWritesSchema, 'by NMI handlers'),
    setup: ref(
      CauseWritesSchema,
      'by perf at other times: opening, enabling, ticks, context switches',
    ),
    guest: ref(CauseWritesSchema, "by perf for a guest's WRMSR"),
  },
  {
    $id: 'WritesByCause',
    additionalProperties: false,
    description: 'MSR writes of a host by cause',
    examples: [{ round_trip: NO_WRITES, nmi: NO_WRITES, setup: NO_WRITES, guest: NO_WRITES }],
  },
);

export const HostMetricsSchema = Type.Object(
  {
    msr_writes: msrWriteCounts,
    writes_by_cause: ref(WritesByCauseSchema),
    round_trips: count('number of VM-exits after a VM-entry'),
    nmis: count('number of NMIs'),
    throttles: count('number of throttled events'),
    violations: violationList,
    estimated_cycles: Type.Number({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'the estimated cost of the MSR writes in cycles',
    }),
    per_round_trip: ref(PerRoundTripSchema),
  },
  {
    $id: 'HostMetrics',
    additionalProperties: false,
    description: 'the counts of a host since it was created',
    examples: [
      {
        msr_writes: [],
        writes_by_cause: {
          round_trip: NO_WRITES,
          nmi: NO_WRITES,
          setup: NO_WRITES,
          guest: NO_WRITES,
        },
        round_trips: 0,
        nmis: 0,
        throttles: 0,
        violations: [],
        estimated_cycles: 0,
        per_round_trip: {
          msr_writes: [],
          kvm_wrmsr: 0,
          perf_wrmsr: 0,
          vm_entry_load: 0,
          vm_exit_load: 0,
          vmcs_field: 0,
          estimated_cycles: 0,
        },
      },
    ],
  },
);
export type HostMetrics = Static<typeof HostMetricsSchema>;

export const HostMetricsQuerySchema = Type.Object(
  {
    format: Type.Optional(
      oneOf(['json', 'prometheus', 'openmetrics'], {
        description: 'instead of the Accept header, for clients that cannot set it',
      }),
    ),
  },
  {
    $id: 'HostMetricsQuery',
    additionalProperties: false,
    description: 'the format of the counts',
    examples: [{ format: 'prometheus' }],
  },
);
