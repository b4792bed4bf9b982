/** What one line of a text of a real machine says. */
import { type Static, Type } from 'typebox';
import { CONTEXTS, RECORD_KINDS, TEST_RESULTS } from '../src/observations/vocabulary.js';
import { count, nullable, oneOf, ref, U64Schema } from './common.js';

/** What a tool printed: no line is longer. */
const word = (description: string) =>
  Type.Optional(Type.String({ maxLength: 16_384, description }));

const number = (description: string) =>
  Type.Optional(
    Type.Integer({
      minimum: -1,
      maximum: Number.MAX_SAFE_INTEGER,
      description,
    }),
  );

const value = (description: string) => Type.Optional(ref(U64Schema, description));

export const ObservedRecordSchema = Type.Object(
  {
    line: count(
      'the number of the line, from 1; of the log where a document holds one; 0: a result or a job in a document, where there are no lines',
    ),
    kind: oneOf(RECORD_KINDS, {
      description:
        'reading: what an MSR held; write: a WRMSR; vm_entry, vm_exit, nmi, throttle, unthrottle: what happened; guest_access: a RDMSR or WRMSR of a guest that KVM emulated; load_list: an MSR that VM-entry and VM-exit load; counter_read: a RDPMC; active_mask: the events that perf has active; snapshot: what follows up to the next was read together; unreadable: a register could not be read; pmu_cleared: the kernel reset the PMU; device_write: a user wrote the MSR; list_full: KVM had no room for an MSR; notice: perf lowered its sample rate, or a handler was slow; precise_sample: a sample of PEBS; fault: the kernel faulted; loss: records are missing; test: the result of a test; job: what a document says of a job, with the result error where the lab could not run it; task: a test that a job asks for; event: another tracepoint',
    }),
    cpu: nullable(Type.Integer({ minimum: 0, maximum: 65_535 }), 'the CPU; null: it is not said'),
    at: nullable(
      Type.String({ maxLength: 100 }),
      'when, as the tool printed it, in its clock and unit',
    ),
    context: oneOf(CONTEXTS, { description: 'what the CPU was in' }),
    msr: word("the MSR, by the SDM's name; by its number where it has none"),
    value: value('the value; of a load_list, what VM-exit loads'),
    guest: value('of a load_list, what VM-entry loads'),
    known_mask: value('the bits of the value that the tool shows; all where it is absent'),
    refused: Type.Optional(
      Type.Literal(true, { description: 'the access faulted: the register is as it was' }),
    ),
    access: Type.Optional(oneOf(['read', 'write'], { description: 'of a guest_access' })),
    comm: word('the name of the task'),
    pid: number('the id of the thread'),
    tgid: number('the id of the process'),
    vcpu: number('the number of the vCPU'),
    writer: word('the function that made the access'),
    count: number(
      'how many records are missing, the number of a counter, nanoseconds of a handler, a sample rate; by kind',
    ),
    name: word('the reason of a VM-exit, the name of a tracepoint, a test or a job; by kind'),
    result: Type.Optional(
      oneOf(TEST_RESULTS, {
        description: 'of a test; error: what ran the test failed',
      }),
    ),
    text: word('what else the line says'),
    attributes: Type.Optional(
      Type.Record(Type.String({ maxLength: 16_384 }), Type.String({ maxLength: 16_384 }), {
        maxProperties: 1000,
        description:
          'of a snapshot: what the collector says of the machine; of a job or a test: what else the document says of it',
      }),
    ),
  },
  {
    $id: 'ObservedRecord',
    additionalProperties: false,
    description: 'what one line says; what it does not say is absent',
    examples: [
      {
        line: 1,
        kind: 'reading',
        cpu: 3,
        at: null,
        context: 'unknown',
        msr: 'IA32_PEBS_ENABLE',
        value: '0x0000000000000001',
      },
    ],
  },
);
export type ObservedRecordView = Static<typeof ObservedRecordSchema>;
