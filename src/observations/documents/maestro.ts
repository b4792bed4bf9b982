/** Events of KernelCI's Maestro, as `GET /latest/events` lists them: jobs that are to be run, and nodes that have ended. */
import type { DocumentFormat, DocumentSink } from './document.js';
import { parseJson } from './parse.js';
import { addJob, addTest } from './results.js';
import { type Fields, field, fieldsOf, listAt, objectAt, textOf } from './values.js';

/** Its times have no zone: they are UTC. */
const utc = (time: string): string => (/^\d{4}-\d\d-\d\dT[\d:.]+$/.test(time) ? `${time}Z` : time);

const RESULTS = { pass: 'pass', fail: 'fail', skip: 'skip' } as const;

function addEvent(sink: DocumentSink, event: Fields): void {
  const data = fieldsOf(field(event, 'data'));
  const node = fieldsOf(field(event, 'node'));
  // The node where the event has it: it says more.
  const of = (name: string): unknown => field(node, name) ?? field(data, name);
  const more = { ...fieldsOf(field(data, 'data')), ...fieldsOf(field(node, 'data')) };
  const [result, code] = [textOf(of('result')), textOf(field(more, 'error_code'))];
  const name = textOf(of('id'));
  const isLabs = code === 'Infrastructure' || result === 'incomplete';
  addJob(sink, {
    name: name === '' ? 'node' : name,
    broken: isLabs
      ? [code || result, textOf(field(more, 'error_msg'))].filter((part) => part !== '').join(': ')
      : undefined,
    at: utc(textOf(field(event, 'timestamp'))),
    attributes: {
      kind: of('kind'),
      name: of('name'),
      group: of('group'),
      path: of('path'),
      op: field(data, 'op'),
      state: of('state'),
      result,
      platform: field(more, 'platform'),
      runtime: field(more, 'runtime'),
      claimed_by: field(more, 'job_id'),
      definition: field(fieldsOf(of('artifacts')), 'job_definition'),
      sequence_id: field(event, 'sequence_id'),
      timeout: utc(textOf(of('timeout'))),
    },
  });
  if (result === '' || isLabs || !['job', 'test'].includes(textOf(of('kind')))) return;
  addTest(sink, {
    name: textOf(of('name')) || name || '?',
    result: Object.hasOwn(RESULTS, result) ? RESULTS[result as keyof typeof RESULTS] : 'unknown',
    ...(!Object.hasOwn(RESULTS, result) && { text: `result ${result}` }),
  });
}

export const maestro: DocumentFormat = {
  name: 'maestro',
  description: "events of KernelCI's Maestro: jobs to be run, results of nodes",
  looksLike: (head) =>
    /^\s*[[{]/.test(head) &&
    /"(?:sequence_id|channel)"\s*:/.test(head) &&
    /"(?:data|node)"\s*:\s*\{/.test(head),
  read({ text }, sink) {
    const value = parseJson(text);
    const events = Array.isArray(value) ? listAt(value, '') : [value];
    events.forEach((event, at) => {
      addEvent(sink, objectAt(event, Array.isArray(value) ? `/${at}` : ''));
    });
  },
};
