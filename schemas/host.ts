/** A simulated host: a CPU model running a kernel. */

import { type Static, Type } from 'typebox';
import { CPUS_MAX } from '../src/pmu/vocabulary.js';
import {
  count,
  IdOrNameSchema,
  LIST_QUERY,
  NameSchema,
  pageOf,
  ref,
  SlugSchema,
  TimestampSchema,
  U64InputSchema,
  U64Schema,
} from './common.js';
import { PlatformClassSchema } from './cpu-model.js';
import { HostOptionsSchema } from './kernel.js';

export const HostIdSchema = Type.String({
  $id: 'HostId',
  pattern: '^host_[0-9a-z]{1,26}$',
  minLength: 6,
  maxLength: 31,
  description: 'the id of a host',
  examples: ['host_1a'],
});

/** A host in an address. */
export const hostReference = ref(
  IdOrNameSchema,
  'the id of a host, or its name if only one host has it and it does not look like an id',
);

export const HostParamsSchema = Type.Object(
  { host: hostReference },
  {
    $id: 'HostParams',
    additionalProperties: false,
    description: 'the host',
    examples: [{ host: 'host_1a' }],
  },
);

const stepping = Type.Integer({
  minimum: 0,
  maximum: 15,
  description:
    'the stepping of the CPU; together with the microcode it decides about PEBS isolation',
});
const cpus = Type.Integer({ minimum: 1, maximum: CPUS_MAX, description: 'the number of CPUs' });

export const HostCreateSchema = Type.Object(
  {
    name: Type.Optional(ref(NameSchema)),
    cpu_model: ref(SlugSchema),
    kernel: ref(SlugSchema),
    microcode: Type.Optional(ref(U64InputSchema, 'the microcode revision of every CPU')),
    stepping: Type.Optional(stepping),
    cpus: Type.Optional(cpus),
    options: Type.Optional(ref(HostOptionsSchema)),
  },
  {
    $id: 'HostCreate',
    additionalProperties: false,
    description: 'a host to simulate',
    examples: [
      { cpu_model: 'emerald-rapids', kernel: 'linux-7.2.6' },
      { name: 'old one', cpu_model: 'haswell-x', kernel: 'pebs-v2', microcode: '0x36', cpus: 2 },
    ],
  },
);
export type HostCreate = Static<typeof HostCreateSchema>;

export const HostCopySchema = Type.Object(
  { name: Type.Optional(ref(NameSchema, 'the name of the copy; by default that of the host')) },
  {
    $id: 'HostCopy',
    additionalProperties: false,
    description: 'a copy to make of a host',
    examples: [{}, { name: 'before the throttle' }],
  },
);
export type HostCopy = Static<typeof HostCopySchema>;

export const HostSchema = Type.Object(
  {
    id: ref(HostIdSchema),
    name: Type.Optional(ref(NameSchema)),
    cpu_model: ref(SlugSchema),
    kernel: ref(SlugSchema),
    stepping,
    microcode: ref(U64Schema, 'the microcode revision'),
    cpus,
    platform_class: ref(PlatformClassSchema),
    isolation: Type.Boolean({ description: 'whether PEBS is isolated with this microcode' }),
    options: ref(HostOptionsSchema, 'the options in effect'),
    created_at: ref(TimestampSchema),
    events: count('number of open perf events'),
    vcpus: count('number of vCPUs'),
    micro_steps: count('number of micro-steps so far'),
  },
  {
    $id: 'Host',
    additionalProperties: false,
    description: 'a simulated host',
    examples: [
      {
        id: 'host_1a',
        cpu_model: 'emerald-rapids',
        kernel: 'linux-7.2.6',
        stepping: 2,
        microcode: '0x0000000000000000',
        cpus: 1,
        platform_class: 'K3',
        isolation: true,
        options: { group_throttle: false, autoload_slots_taken: 0 },
        created_at: '2026-11-23T12:00:00.000Z',
        events: 0,
        vcpus: 0,
        micro_steps: 0,
      },
    ],
  },
);
export type Host = Static<typeof HostSchema>;

export const HostFilterSchema = Type.Object(
  {
    name: Type.Optional(ref(NameSchema, 'only those of this name')),
    cpu_model: Type.Optional(ref(SlugSchema, 'only those of this CPU model')),
    kernel: Type.Optional(ref(SlugSchema, 'only those with this kernel, or an alias of it')),
    all: Type.Optional(
      Type.Boolean({ description: 'true: every host, which takes no other filter' }),
    ),
  },
  {
    $id: 'HostFilter',
    additionalProperties: false,
    minProperties: 1,
    description: 'which hosts are meant: those that pass every filter',
    examples: [{ kernel: 'linux-7.2.6' }],
  },
);
export type HostFilter = Static<typeof HostFilterSchema>;

export const HostQuerySchema = Type.Object(
  {
    ...LIST_QUERY,
    name: HostFilterSchema.properties.name,
    cpu_model: HostFilterSchema.properties.cpu_model,
  },
  {
    $id: 'HostQuery',
    additionalProperties: false,
    description: 'the page of the list of hosts, and which hosts are wanted',
    examples: [{ limit: 50, sort: 'newest', kernel: 'linux-7.2.6' }],
  },
);
export type HostQuery = Static<typeof HostQuerySchema>;

export const HostsDeletedSchema = Type.Object(
  { deleted: count('number of hosts that are gone') },
  {
    $id: 'HostsDeleted',
    additionalProperties: false,
    description: 'what was deleted',
    examples: [{ deleted: 15 }],
  },
);

export const HostPageSchema = pageOf('HostPage', HostSchema, 'a page of hosts');
export type HostPage = Static<typeof HostPageSchema>;
