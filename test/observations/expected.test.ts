/** Every capture, with the verdict that EXPECT.md says must come of it. Its records are the readers' tests' business. */
import t from 'tap';
import { CAPTURES, capture, read } from './captures.js';
import { EXPECTED } from './expected.js';
import { brief } from './records.js';

t.test('every capture has its row', async (t) => {
  t.strictSame(Object.keys(EXPECTED).sort(), [...CAPTURES].sort());
});

for (const [name, expected] of Object.entries(EXPECTED)) {
  t.test(name, async (t) => {
    const { answer } = read(capture(name));
    t.strictSame(
      {
        format: answer.format,
        path: answer.path,
        verdict: answer.verdict,
        class: answer.class,
        cpus: Object.fromEntries(answer.cpus.map(({ cpu, verdict }) => [cpu, verdict])),
        findings: answer.findings.map(brief),
        rejected: answer.rejected.map(({ line }) => line),
        losses: answer.losses.map(({ cpu, count }) => `${cpu ?? '-'} ${count ?? '-'}`),
      },
      {
        path: 'unknown',
        cpus: {},
        findings: [],
        rejected: [],
        losses: [],
        ...expected,
      },
    );
  });
}
