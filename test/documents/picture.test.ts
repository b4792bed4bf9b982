/** The README's picture is what the page draws now, and says in words what it shows. */
import { readFileSync } from 'node:fs';
import { XMLValidator } from 'fast-xml-parser';
import t from 'tap';
import { build } from '../helper.js';
import { drawPicture, PICTURE, SCENARIO } from './picture.js';

const picture = readFileSync(PICTURE, 'utf8');

t.test('the README opens with it', async (t) => {
  const [title, , image = ''] = readFileSync('README.md', 'utf8').split('\n');
  t.equal(title, '# pebslab');
  const [, alt = '', path] = /^!\[([^\]]+)\]\((\S+)\)$/.exec(image) ?? [];
  t.equal(path, PICTURE);
  for (const word of ['PMC0', 'IA32_PEBS_ENABLE', 'perf', 'NMI', 'VM-exit', 'stuck']) {
    t.match(alt, word, 'for those who do not see it');
  }
});

t.test('it is plain and small, and names what it shows', async (t) => {
  t.equal(XMLValidator.validate(picture), true);
  t.ok(picture.length < 40_000, `${picture.length} bytes`);
  t.notMatch(picture, /<(script|foreignObject|image)|href|@import/, 'nothing is loaded or run');
  const texts = [...picture.matchAll(/<text [^>]*>([^<]+)</g)].map(([, text]) => text);
  for (const text of ['IA32_PEBS_ENABLE', 'PMC0', 'exit area', 'nmi', 'STUCK', '★', SCENARIO]) {
    t.ok(texts.includes(text), text);
  }
});

t.test('`npm run picture` would write the same', async (t) => {
  t.equal(await drawPicture(await build(t)), picture);
});
