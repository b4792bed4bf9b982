/** What may happen to a text on its way never makes it say more than it did. */
import t from 'tap';
import { FORMATS } from '../../src/observations/formats.js';
import type { RecordView } from '../../src/observations/record-view.js';
import { pick, type Random, seeded, whole } from '../crash/random.js';
import { CAPTURES, capture, type Read, read, readOrRefused, readPieces } from './captures.js';

const original = new Map<string, Read>();

t.test('every capture is recognised', async (t) => {
  for (const name of CAPTURES) {
    const all = readOrRefused(capture(name));
    t.ok(all, name);
    if (all !== null) original.set(name, all);
  }
});

t.test('Windows line ends change nothing', async (t) => {
  for (const [name, expected] of original) {
    t.strictSame(read(capture(name).replaceAll('\n', '\r\n')), expected, name);
  }
});

t.test('colours around words change nothing', async (t) => {
  for (const [name, expected] of original) {
    const coloured = capture(name).replace(/\S+/g, '\x1b[01;31m$&\x1b[0m');
    t.strictSame(read(coloured), expected, name);
  }
});

t.test('pieces of any size change nothing, nor do their bytes', async (t) => {
  const random = seeded(1);
  for (const [name, expected] of original) {
    const text = capture(name);
    const pieces: string[] = [];
    for (let at = 0; at < text.length; at += pieces.at(-1)!.length) {
      pieces.push(text.slice(at, at + whole(random, 1, 200)));
    }
    t.strictSame(readPieces(pieces), expected, name);
    const bytes = pieces.map((piece) => Buffer.from(piece));
    t.strictSame(readPieces(bytes), expected, name);
    const format = { format: expected.answer.format };
    t.strictSame(readPieces(bytes, format), expected, `${name}, named`);
  }
});

/** A record, and what is left of it where its stack is cut off: the stack names the context and the writer. */
function sayings(record: RecordView): string[] {
  const { writer, ...rest } = record;
  return [record, { ...rest, context: 'unknown' }].map((each) => JSON.stringify(each));
}

/** What a cut text says that the whole does not, or null. */
function excess(cut: Read, all: Read): string | null {
  const { answer } = cut;
  const known = new Set(all.records.flatMap(sayings));
  const invented = cut.records.find((record) => !known.has(JSON.stringify(record)));
  if (invented !== undefined) return JSON.stringify(invented);
  const mild = new Set(['inconclusive', 'none', 'not_applicable']);
  if (!mild.has(answer.verdict)) return answer.verdict;
  const accused = answer.cpus.find(({ verdict }) => !mild.has(verdict));
  if (accused !== undefined) return JSON.stringify(accused);
  if (answer.path !== 'unknown' && answer.path !== all.answer.path) return answer.path;
  const fact = Object.entries(answer.facts).find(
    // The kernel says that PEBS is there before it disables it.
    ([fact, value]) => fact !== 'pebs' && all.answer.facts[fact] !== value,
  );
  return fact === undefined ? null : fact.join('=');
}

t.test('a text that is cut at any byte says nothing that the whole does not say', async (t) => {
  for (const [name, all] of original) {
    const bytes = Buffer.from(capture(name));
    const { format } = all.answer;
    const wrong: string[] = [];
    for (let size = 0; size < bytes.length; size += 1) {
      const text = bytes.toString('utf8', 0, size);
      // Nobody can tell from a text that ends with a line that more lines belong to it.
      const options = text === '' || text.endsWith('\n') ? { complete: false } : {};
      for (const named of [format, 'auto']) {
        const read = readOrRefused(text, { ...options, format: named });
        const found = read === null ? null : excess(read, all);
        if (found !== null) wrong.push(`${size} as ${named}: ${found}`);
      }
    }
    t.strictSame(wrong, [], name);
  }
});

/** Where a line belongs to the one before, what comes between cannot be told from it. */
const CONTINUED = new Set([
  'dmesg-quoted-printable.txt',
  'ftrace-dmesg-spliced.txt',
  'ftrace-mail-wrapped.txt',
  'perf-data-json.json',
  'perf-script-callchain.txt',
]);

const NOISE = [
  '',
  'Nothing to see here, move along.',
  'root@host-17:~# ',
  'tester@host-17:/sys/kernel/tracing$ ',
  'Done.',
];

/** What names lines, also in sentences. */
const WITH_LINES = new Set(['line', 'lines', 'text', 'reason', 'preconditions', 'next']);

/** A record or finding without the numbers of lines. */
function withoutLines(value: unknown): unknown {
  const strip = (key: string, inner: unknown) => (WITH_LINES.has(key) ? undefined : inner);
  return JSON.parse(JSON.stringify(value, strip));
}

t.test('noise between the lines changes nothing', async (t) => {
  const random = seeded(2);
  for (const [name, expected] of original) {
    if (CONTINUED.has(name)) continue;
    const { format } = expected.answer;
    for (let run = 0; run < 5; run += 1) {
      const noisy = capture(name).replaceAll('\n', () =>
        random() < 0.5 ? '\n' : `\n${pick(random, NOISE)}\n`,
      );
      t.strictSame(withoutLines(read(noisy, { format })), withoutLines(expected), name);
    }
  }
});

t.test('no text makes it fail', async (t) => {
  const random = seeded(3);
  const texts = CAPTURES.map(capture);
  for (const format of ['auto', ...FORMATS.map(({ name }) => name)]) {
    for (let run = 0; run < 150; run += 1) {
      const text = run % 3 === 0 ? noise(random) : splice(random, texts);
      readOrRefused(text, { format, complete: random() < 0.5 });
    }
  }
  t.pass('read or refused');
});

function noise(random: Random): string {
  const bytes = Uint8Array.from({ length: whole(random, 0, 600) }, () => whole(random, 0, 255));
  return Buffer.from(bytes).toString(random() < 0.5 ? 'latin1' : 'utf8');
}

/** Parts of captures, some bytes of them changed. */
function splice(random: Random, texts: readonly string[]): string {
  const parts = Array.from({ length: whole(random, 1, 6) }, () => {
    const text = pick(random, texts);
    const from = whole(random, 0, text.length);
    return text.slice(from, from + whole(random, 0, 400));
  });
  return parts
    .join('')
    .replace(/./g, (letter) =>
      random() < 0.01 ? String.fromCharCode(whole(random, 0, 255)) : letter,
    );
}
