/** results.json of tuxrun and TuxSuite. Its block `lava` is the harness; TuxSuite numbers the suites as LAVA does. */
import type { DocumentFormat, DocumentSink } from './document.js';
import { parseJson } from './parse.js';
import { addJob, addTest, resultOf, suiteOf } from './results.js';
import { type Fields, field, fieldsOf, membersAt, objectAt, secondsOf, textOf } from './values.js';

/** What the job cannot do without. */
const STAGES = ['validate', 'login-action', 'job'] as const;

function addHarness(sink: DocumentSink, lava: Fields): void {
  const failed = STAGES.filter((stage) => {
    const result = textOf(field(fieldsOf(field(lava, stage)), 'result'));
    return Object.hasOwn(lava, stage) && result !== 'pass';
  });
  addJob(sink, { name: 'tuxsuite', attributes: { failed: failed.join(', ') } });
  if (failed.length === 0) return;
  addTest(sink, { name: 'lava/job', result: 'error', text: `lava/${failed[0]} failed` });
}

export const tuxsuite: DocumentFormat = {
  name: 'tuxsuite',
  description: 'results.json of tuxrun and TuxSuite',
  looksLike: (head) =>
    /^\s*\{\s*"[^"]+"\s*:\s*\{/.test(head) &&
    /^\s*\{\s*"lava"\s*:|"(?:starttc|endtc)"\s*:/.test(head) &&
    /"result"\s*:/.test(head),
  read({ text }, sink) {
    const results = objectAt(parseJson(text), '');
    addHarness(sink, fieldsOf(field(results, 'lava')));
    for (const { name: suite, value, pointer } of membersAt(results, '')) {
      if (suite === 'lava') continue;
      for (const test of membersAt(value, pointer)) {
        const fields = objectAt(test.value, test.pointer);
        addTest(sink, {
          name: `${suiteOf(suite)}/${test.name}`,
          result: resultOf(textOf(field(fields, 'result'))),
          text: firstLine(field(fields, 'log_excerpt')),
          attributes: {
            suite,
            duration_seconds: secondsOf(field(fields, 'duration')),
            measurement: field(fields, 'measurement'),
            unit: field(fields, 'units'),
          },
        });
      }
    }
  },
};

const firstLine = (excerpt: unknown): string =>
  textOf(Array.isArray(excerpt) ? excerpt[0] : excerpt);
