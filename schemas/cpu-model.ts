/** CPU models, and the classes of platforms that they make. */
import { type Static, Type } from 'typebox';
import { PLATFORM_CLASSES } from '../src/pmu/vocabulary.js';
import {
  nullable,
  oneOf,
  PageQuerySchema,
  pageOf,
  prose,
  ref,
  SlugSchema,
  SourcesSchema,
  U64Schema,
} from './common.js';

export const PlatformClassSchema = oneOf(PLATFORM_CLASSES, {
  $id: 'PlatformClass',
  description:
    'the class that decides about the switch list. K1: no PEBS isolation, so a counter that is off may still write a record after VM-entry. K2: isolation, and no PEBS for guests. K3: isolation, and EPT-friendly PEBS, so guests may use it. K4: no PEBS through the DS area: architectural PEBS, or none',
  examples: ['K3'],
});
export type PlatformClass = Static<typeof PlatformClassSchema>;

export const MicrocodeRowSchema = Type.Object(
  {
    stepping: Type.Integer({ minimum: 0, maximum: 15, description: 'the stepping of the CPU' }),
    revision: ref(U64Schema, 'the first microcode revision with PEBS isolation'),
  },
  {
    $id: 'MicrocodeRow',
    additionalProperties: false,
    description: 'the microcode revision from which a stepping isolates PEBS',
    examples: [{ stepping: 2, revision: '0x0000000000000037' }],
  },
);

export const PebsTraitsSchema = Type.Object(
  {
    format: nullable(
      Type.Integer({ minimum: 0, maximum: 15 }),
      'the PEBS record format; null if it does not apply or is not known',
    ),
    kind: oneOf(['ds', 'arch', 'none'], {
      description: 'through the DS area, architectural PEBS, or none',
    }),
    baseline: Type.Boolean({ description: 'adaptive PEBS on every counter (PEBS_BASELINE)' }),
    ept: Type.Boolean({ description: 'whether perf lets KVM expose PEBS to guests' }),
    capable: ref(U64Schema, 'the counters that can do PEBS, as a mask'),
  },
  {
    $id: 'PebsTraits',
    additionalProperties: false,
    description: 'the PEBS features of a CPU model',
    examples: [{ format: 4, kind: 'ds', baseline: true, ept: true, capable: '0xffffffffffffffff' }],
  },
);

export const IsolationTraitsSchema = Type.Object(
  {
    default: Type.Boolean({ description: 'whether PEBS is isolated regardless of the microcode' }),
    microcode: Type.Array(ref(MicrocodeRowSchema), {
      maxItems: 32,
      description: 'the microcode that isolates PEBS, if the model alone does not',
    }),
  },
  {
    $id: 'IsolationTraits',
    additionalProperties: false,
    description: 'whether a disabled counter writes no PEBS record across VM-entry',
    examples: [{ default: true, microcode: [] }],
  },
);

export const CounterCountsSchema = Type.Object(
  {
    general_purpose: Type.Integer({ minimum: 0, maximum: 16, description: 'PMC0 and on' }),
    fixed: Type.Integer({ minimum: 0, maximum: 16, description: 'FIXED0 and on' }),
  },
  {
    $id: 'CounterCounts',
    additionalProperties: false,
    description: 'the number of counters',
    examples: [{ general_purpose: 8, fixed: 4 }],
  },
);

export const CpuModelSchema = Type.Object(
  {
    id: ref(SlugSchema),
    title: prose('the common name'),
    family: Type.Integer({ minimum: 0, maximum: 255, description: 'CPUID family' }),
    model: Type.Integer({ minimum: 0, maximum: 255, description: 'CPUID model' }),
    other_models: Type.Array(Type.Integer({ minimum: 0, maximum: 255 }), {
      maxItems: 16,
      description: 'more CPUID models that kernels treat alike',
    }),
    perfmon_version: Type.Integer({ minimum: 0, maximum: 15, description: 'CPUID 0AH version' }),
    counters: ref(CounterCountsSchema),
    intel_ctrl: ref(U64Schema, 'all counters perf may use, as IA32_PERF_GLOBAL_CTRL has them'),
    pebs: ref(PebsTraitsSchema),
    isolation: ref(IsolationTraitsSchema),
    load_perf_global_ctrl: Type.Boolean({
      description: 'whether the VMCS can load IA32_PERF_GLOBAL_CTRL',
    }),
    platform_class: ref(
      PlatformClassSchema,
      'its class on the newest release; GET /v1/kernels/{id} lists the classes of all models on a kernel',
    ),
    sources: ref(SourcesSchema),
  },
  {
    $id: 'CpuModel',
    additionalProperties: false,
    description: 'a CPU model, with the flags that linux-7.3.4 sets for it',
    examples: [
      {
        id: 'emerald-rapids',
        title: 'Emerald Rapids',
        family: 6,
        model: 207,
        other_models: [],
        perfmon_version: 5,
        counters: { general_purpose: 8, fixed: 4 },
        intel_ctrl: '0x0001000f000000ff',
        pebs: { format: 4, kind: 'ds', baseline: true, ept: true, capable: '0xffffffffffffffff' },
        isolation: { default: true, microcode: [] },
        load_perf_global_ctrl: true,
        platform_class: 'K3',
        sources: ['Linux 6.12.117 arch/x86/events/intel/core.c intel_pmu_init()'],
      },
    ],
  },
);
export type CpuModel = Static<typeof CpuModelSchema>;

export const CpuModelPageSchema = pageOf('CpuModelPage', CpuModelSchema, 'a page of CPU models');

/** A number as CPUID's fields are written: decimal, or hex with 0x. */
export const cpuidNumber = (description: string, examples: string[]) =>
  Type.String({
    pattern: '^([0-9]{1,10}|0[xX][0-9a-fA-F]{1,8})$',
    minLength: 1,
    maxLength: 10,
    description,
    examples,
  });

export const CpuModelQuerySchema = Type.Object(
  {
    family: Type.Optional(cpuidNumber('only those of this CPUID family', ['6'])),
    model: Type.Optional(cpuidNumber('only those that have this CPUID model', ['0x55', '207'])),
    stepping: Type.Optional(
      cpuidNumber(
        'only those that have this stepping: it tells apart models with one model number',
        ['7'],
      ),
    ),
    ...PageQuerySchema.properties,
  },
  {
    $id: 'CpuModelQuery',
    additionalProperties: false,
    description: 'which CPU models, and the page of them',
    examples: [{ family: '6', model: '0x55', stepping: '7', limit: 50 }],
  },
);
export type CpuModelQuery = Static<typeof CpuModelQuerySchema>;
