/** What is sent with the text of a real machine: the text itself, and by query what it is and what it does not say. */
import { type Static, type TSchema, Type } from 'typebox';
import { TEXT_FORMATS } from '../src/observations/vocabulary.js';
import { defaulted, NameSchema, oneOf, ref } from './common.js';

/** 2 GiB of uncompressed text. */
const TEXT_BYTES_MAX = 2_147_483_648;

export const ObservationTextSchema = Type.String({
  $id: 'ObservationText',
  maxLength: TEXT_BYTES_MAX,
  description:
    'what the tool printed, as it is: plain, or compressed by gzip with `Content-Encoding: gzip` or without; at most 2 GiB uncompressed',
  examples: ['cpu=0 3f1=0000000000000000\ncpu=3 3f1=0000000000000001\n'],
});

/** Any JSON is a text; what bpftrace and perf print. */
export const ObservationJsonSchema = Type.Unsafe<unknown>({
  $id: 'ObservationJson',
  description: 'JSON, or a line of JSON for each record, as `bpftrace -f json` prints it',
  examples: [{ type: 'printf', data: '1442116042846 0 3f1 1\n' }],
});

const decimal = (description: string, examples: string[]): TSchema =>
  Type.String({ pattern: '^[0-9]{1,9}$', minLength: 1, maxLength: 9, description, examples });

const word = (description: string, examples: string[]): TSchema =>
  Type.String({ pattern: '^[ -~]+$', minLength: 1, maxLength: 200, description, examples });

/** What the sender knows of the machine and the text may not say. */
const FACTS = {
  pebs_events: decimal('how many events with PEBS were open while it was recorded', ['0']),
  pmu_version: decimal('the version of architectural performance monitoring', ['5']),
  cpu_vendor: word('the vendor, as CPUID gives it', ['GenuineIntel']),
  cpu_family: decimal('the family of the CPU', ['6']),
  cpu_model: decimal('the model of the CPU', ['207']),
  cpu_stepping: decimal('the stepping of the CPU', ['2']),
  microcode: Type.String({
    pattern: '^0x[0-9a-fA-F]{1,8}$',
    minLength: 3,
    maxLength: 10,
    description: 'the revision of the microcode',
    examples: ['0x21000240'],
  }),
  cpus: decimal('how many CPUs are online', ['64']),
  hypervisor: word('the hypervisor that the machine itself runs under', ['KVM']),
  kernel_release: word('the release of the kernel, as `uname -r` prints it', ['6.12.90']),
  boot_id: word('what tells one boot of the machine from another', [
    '3f8c1f2e-5d8a-4a57-9c3e-0c7a1d2b9e10',
  ]),
  fix_state: oneOf(['fixed', 'partly', 'unfixed', 'unknown'], {
    description: 'whether the kernel has the fixes, as `POST /v1/identify` says it',
  }),
  isolation: oneOf(['true', 'false'], {
    description: 'whether the CPUs isolate PEBS, as `POST /v1/identify` says it',
  }),
  nmi_watchdog: oneOf(['on', 'off'], { description: 'whether the NMI watchdog uses a counter' }),
} as const;

export const FACT_NAMES = Object.keys(FACTS) as (keyof typeof FACTS)[];

const facts = Object.fromEntries(
  Object.entries(FACTS).map(([name, schema]) => [name, Type.Optional(schema)]),
) as { [Name in keyof typeof FACTS]: ReturnType<typeof Type.Optional> };

export const ObservationCreateQuerySchema = Type.Object(
  {
    format: defaulted(
      oneOf(['auto', ...TEXT_FORMATS], {
        default: 'auto',
        description: 'what printed the text; `auto` recognises it',
      }),
    ),
    machine: Type.Optional(ref(NameSchema, 'the machine that the text comes from')),
    pool: Type.Optional(ref(NameSchema, 'the pool that it belongs to')),
    lease: Type.Optional(
      ref(
        NameSchema,
        'what the machine was lent for: a lease of this service, which knows pool and machine, or a job or run of another',
      ),
    ),
    dry_run: defaulted(
      Type.Boolean({ default: false, description: 'whether only to answer, and to store nothing' }),
    ),
    complete: Type.Optional(
      Type.Boolean({
        description:
          'whether the text is known to have an end: with true, a last line without an end of line counts; with false, the text may be cut even where a line ends. Without it, such a last line means that the text is cut',
      }),
    ),
    ...facts,
  },
  {
    $id: 'ObservationCreateQuery',
    additionalProperties: false,
    description: 'what the text is, where it comes from, and what it does not say of the machine',
    examples: [
      { format: 'auto', machine: 'host-17', pool: 'lab-a', dry_run: false, pebs_events: '0' },
    ],
  },
);
export type ObservationCreateQuery = Omit<
  Static<typeof ObservationCreateQuerySchema>,
  keyof typeof FACTS
> & { readonly [Name in keyof typeof FACTS]?: string };
