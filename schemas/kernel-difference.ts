/** How two kernels part on the same schedule. */
import { Type } from 'typebox';
import {
  CpuNumberSchema,
  count,
  nullable,
  PmuMsrNameSchema,
  prose,
  ref,
  SlugSchema,
  U64Schema,
} from './common.js';
import { propertyId } from './exploration-request.js';
import { RUN_DIFFERENCES } from './run-comparison.js';

export const PartingRegisterSchema = Type.Object(
  {
    msr: ref(PmuMsrNameSchema),
    kernel: ref(U64Schema, 'on the kernel that fails'),
    other: ref(U64Schema, 'on the other'),
  },
  {
    $id: 'PartingRegister',
    additionalProperties: false,
    description: 'a register that differs between two kernels',
    examples: [
      { msr: 'IA32_PEBS_ENABLE', kernel: '0x0000000000000000', other: '0x0000000000000001' },
    ],
  },
);

export const whose = Type.String({
  maxLength: 80,
  description: 'the CPU, vCPU or event; empty for the machine as a whole',
});

export const EndValueSchema = Type.Object(
  {
    of: whose,
    field: Type.String({ maxLength: 80, description: 'as the kernel or the SDM calls it' }),
    hardware: prose('what it holds'),
    desired: prose('what it should hold'),
    bits: Type.Optional(prose('of a set: the bits in which the two differ')),
  },
  {
    $id: 'EndValue',
    additionalProperties: false,
    description: 'a field that is wrong at the end of a counterexample',
    examples: [
      {
        of: 'cpu0',
        field: 'IA32_PEBS_ENABLE',
        hardware: '0x0000000000000001',
        desired: '0x0000000000000000',
        bits: 'PMC0',
      },
    ],
  },
);

export const MsrPartingSchema = Type.Object(
  {
    step: count('which step of the schedule'),
    cpu: ref(CpuNumberSchema),
    registers: Type.Array(ref(PartingRegisterSchema), {
      maxItems: 8,
      description: 'those that differ, with both values',
    }),
  },
  {
    $id: 'MsrParting',
    additionalProperties: false,
    description: 'where the registers of two kernels first differ',
    examples: [{ step: 11, cpu: 0, registers: [] }],
  },
);

export const KernelDifferenceSchema = Type.Object(
  {
    kernel: ref(SlugSchema, 'the kernel on which an invariant is violated'),
    other: ref(SlugSchema, 'the kernel on which none is'),
    steps: count('length of the shortest schedule that distinguishes them'),
    schedule: Type.Array(prose('a step of both kernels'), {
      maxItems: 10_000,
      description: 'in order',
    }),
    msrs_part_at: nullable(
      prose('the first step after which the registers differ'),
      'null if they never differ',
    ),
    msrs_part: Type.Optional(nullable(ref(MsrPartingSchema), 'null when they never do')),
    property: Type.Optional({ ...propertyId, description: 'the invariant that fails' }),
    summary: Type.Optional(
      Type.String({
        maxLength: 4000,
        description: 'what is wrong on the kernel that fails, and why',
      }),
    ),
    end: Type.Optional(
      Type.Array(ref(EndValueSchema), {
        maxItems: 64,
        description: 'the fields that are wrong at the end on the kernel that fails',
      }),
    ),
    sides: Type.Optional(RUN_DIFFERENCES.sides),
    first: Type.Optional(RUN_DIFFERENCES.first),
    differences: Type.Optional(RUN_DIFFERENCES.differences),
  },
  {
    $id: 'KernelDifference',
    additionalProperties: false,
    description:
      'the shortest schedule that violates an invariant on one kernel and none on the other; as data (sides, first, differences) the kernel that fails comes first, and a schedule of more than 200 steps has none',
    examples: [
      {
        kernel: 'linux-7.2.6',
        other: 'linux-6.12.117',
        steps: 1,
        schedule: ['k0_irq_off (v0 runs)'],
        msrs_part_at: null,
        msrs_part: null,
        property: 'I1',
        summary: 'PMC0 is stuck in IA32_PEBS_ENABLE: the NMI (step 1) wrote PMC0.',
        end: [],
      },
    ],
  },
);
