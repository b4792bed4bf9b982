/** What a real machine is: what its commands print, and what follows. */
import { type Static, Type } from 'typebox';
import { FIX_STATES, IDENTITY_FINDINGS, OBSERVED_PATHS } from '../src/observations/vocabulary.js';
import { nullable, oneOf, prose, ref, SlugSchema } from './common.js';
import { PlatformClassSchema } from './cpu-model.js';

const TEXT_LENGTH_MAX = 1_048_576;

const text = (description: string, examples: string[]) =>
  Type.Optional(Type.String({ maxLength: TEXT_LENGTH_MAX, description, examples }));

/** A number of the CPU, as a tool prints it or as JSON has it. */
const number = (description: string, maximum: number, examples: (string | number)[]) =>
  Type.Optional(
    Type.Unsafe<string | number>({
      type: ['string', 'integer'],
      pattern: '^([0-9]{1,10}|0[xX][0-9a-fA-F]{1,8})$',
      maxLength: 10,
      minimum: 0,
      maximum,
      description: `${description}: decimal, hex with 0x, or a JSON integer`,
      examples,
    }),
  );

const releaseText = Type.String({ minLength: 1, maxLength: 200, description: 'as `uname -r`' });

export const KernelSaidSchema = Type.Unsafe<
  | string
  | { readonly release?: string; readonly version?: string; readonly commits?: readonly string[] }
>({
  $id: 'KernelSaid',
  type: ['string', 'object'],
  minLength: 1,
  maxLength: 2000,
  properties: {
    release: { ...releaseText, examples: ['6.12.112-1-amd64'] },
    version: { ...releaseText, description: 'as `uname -v`' },
    commits: {
      type: 'array',
      maxItems: 1000,
      items: { type: 'string', pattern: '^[0-9a-fA-F]{8,40}\\b', minLength: 8, maxLength: 300 },
      description:
        'ids of commits that the kernel has, whoever built it: each an id of 8 to 40 digits, or a line of `git log --oneline`',
    },
  },
  additionalProperties: false,
  description:
    'the kernel: text with its release and, for kernels that somebody else has built, ids of commits that it has; or the same as fields',
  examples: ['6.12.112', { release: '5.14.0-503.el9', commits: ['cec38d5c098a', '4b64dbdc5861'] }],
});

export const IdentityRequestSchema = Type.Object(
  {
    cpuinfo: text('/proc/cpuinfo, or what `cpuid -r` prints', ['processor\t: 0\n']),
    uname: text('what `uname -a`, `-r` or `-v` prints', [
      'Linux host-17 6.12.90 #1 SMP x86_64 GNU/Linux',
    ]),
    dmesg: text('the log of the kernel, with the lines of when it started', [
      '[    0.2] smpboot: CPU0: Intel(R) Xeon(R) (family: 0x6, model: 0xcf, stepping: 0x2)\n',
    ]),
    family: number('the family of the CPU', 0xffff, [6]),
    model: number('the model of the CPU', 0xffff, ['0xcf', 207]),
    stepping: number('the stepping of the CPU', 15, [2]),
    microcode: number('the revision of the microcode', 0xffff_ffff, ['0x21000240']),
    kernel: Type.Optional(ref(KernelSaidSchema)),
  },
  {
    $id: 'IdentityRequest',
    additionalProperties: false,
    description: 'what is known of a machine; every field is optional',
    examples: [{ family: 6, model: '0xcf', stepping: 2, kernel: '6.12.90' }],
  },
);
export type IdentityRequest = Static<typeof IdentityRequestSchema>;

export const IdentityFindingSchema = Type.Object(
  {
    rule: oneOf(IDENTITY_FINDINGS, {
      description:
        'R5: the machine cannot have the problem; microcode_skew: CPUs have different microcode; facts_differ: what was sent contradicts itself; hypervisor: the machine is itself a guest',
    }),
    text: prose('what was found'),
  },
  {
    $id: 'IdentityFinding',
    additionalProperties: false,
    description: 'what else was found',
    examples: [{ rule: 'R5', text: 'Not applicable: the CPUs are AMD.' }],
  },
);

export const IdentitySchema = Type.Object(
  {
    cpu_model: nullable(ref(SlugSchema), "the catalogue's CPU model; null if it has none such"),
    platform_class: nullable(ref(PlatformClassSchema), 'on this kernel; null if not known'),
    isolation: nullable(
      Type.Boolean(),
      'whether the kernel counts PEBS as isolated, for which it asks the boot CPU; null if not known',
    ),
    pebs_ept: nullable(Type.Boolean(), 'whether perf lets guests use PEBS; null if not known'),
    nearest_kernel: nullable(
      ref(SlugSchema),
      "the catalogue's kernel that behaves most like it; null if there is none or nothing is known",
    ),
    fix_state: oneOf(FIX_STATES, {
      description:
        'whether the kernel has all four fixes, some, or none; unknown for kernels of distributions unless commits are named',
    }),
    predicted_path: oneOf(OBSERVED_PATHS, {
      description:
        'autoload: VM-entry and VM-exit load IA32_PEBS_ENABLE while host PEBS is on, so it may get stuck; none: they do not',
    }),
    certain: Type.Boolean({ description: 'false where a finding makes the prediction doubtful' }),
    findings: Type.Array(ref(IdentityFindingSchema), { maxItems: 300, description: 'what else' }),
    reasons: Type.Array(prose('one reason'), {
      maxItems: 20,
      description: 'why, a sentence each',
    }),
    missing: Type.Array(Type.String({ minLength: 1, maxLength: 40 }), {
      maxItems: 20,
      description: 'the facts that would tell more',
    }),
  },
  {
    $id: 'Identity',
    additionalProperties: false,
    description: 'what the machine is, and what is to be expected of it',
    examples: [
      {
        cpu_model: 'emerald-rapids',
        platform_class: 'K3',
        isolation: true,
        pebs_ept: true,
        nearest_kernel: 'linux-6.12.107',
        fix_state: 'unfixed',
        predicted_path: 'autoload',
        certain: true,
        findings: [],
        reasons: ['6.12.90 has none of the fixes: they came with 6.12.112.'],
        missing: [],
      },
    ],
  },
);
export type Identity = Static<typeof IdentitySchema>;
