/** The names of formats that requests may give are those of the formats that can be read. */
import t from 'tap';
import { DOCUMENTS } from '../../src/observations/documents/formats.js';
import { FORMATS } from '../../src/observations/formats.js';
import { TEXT_FORMATS } from '../../src/observations/vocabulary.js';

t.test('every format has a name in requests, and every name a format', async (t) => {
  t.strictSame([...FORMATS, ...DOCUMENTS].map(({ name }) => name).sort(), [...TEXT_FORMATS].sort());
});
