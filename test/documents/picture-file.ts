/** Writes the README's picture: `npm run picture`. */
import { writeFile } from 'node:fs/promises';
import { buildApp } from '../../src/app.js';
import { freshStorage } from '../helper.js';
import { drawPicture, PICTURE } from './picture.js';

const closing: (() => unknown)[] = [];
const storage = await freshStorage({ teardown: (close) => void closing.push(close) });
const app = await buildApp({ storage });
await writeFile(PICTURE, await drawPicture(app));
await app.close();
for (const close of closing) await close();
