/** How the page is served, and how large it may be. */
import { readdirSync, readFileSync } from 'node:fs';
import { brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import t from 'tap';
import { buildApp } from '../../src/app.js';
import { problemOf } from '../helper.js';

const ASSETS = 'dist/ui/assets';
const assets = readdirSync(ASSETS);
/** Files need no database. */
const app = await buildApp();
t.teardown(() => app.close());

function zipped(ending: string): number {
  const files = assets.filter((name) => name.endsWith(ending));
  t.ok(files.length > 0, `there is ${ending}`);
  return files.reduce((sum, name) => sum + gzipSync(readFileSync(`${ASSETS}/${name}`)).length, 0);
}

t.test('the page stays small', async (t) => {
  const [script, style] = [zipped('.js'), zipped('.css')];
  t.ok(script <= 60 * 1024, `scripts: ${script} bytes`);
  t.ok(style <= 8 * 1024, `styles: ${style} bytes`);
  t.strictSame(
    assets.filter((name) => /\.(woff2?|ttf|otf|wasm)/.test(name)),
    [],
    'no fonts, no WebAssembly',
  );
  for (const name of assets.filter((name) => /\.(js|css|svg)$/.test(name))) {
    t.match(name, /-[0-9A-Z]{8}\.\w+$/, 'the name changes with what is in it');
  }
});

t.test('the document is never kept, and what it loads is kept for good', async (t) => {
  const page = await app.inject('/ui/');
  t.equal(page.statusCode, 200);
  t.match(page.headers['content-type'], /^text\/html/);
  t.equal(page.headers['cache-control'], 'no-cache');
  t.notMatch(page.body, /\bstyle=|<script>|<style|https?:\/\/(?!localhost)/, 'nothing inline');
  const unchanged = await app.inject({
    url: '/ui/',
    headers: { 'if-none-match': String(page.headers.etag) },
  });
  t.equal(unchanged.statusCode, 304);

  const loaded = [...page.body.matchAll(/(?:src|href)="(\/ui\/assets\/[^"]+)"/g)].map(
    ([, at]) => at!,
  );
  t.equal(loaded.length, 3, 'a script, a style and an icon');
  for (const url of loaded) {
    const file = await app.inject(url);
    t.equal(file.statusCode, 200, url);
    t.equal(file.headers['cache-control'], 'public, max-age=31536000, immutable');
    t.equal(file.headers['x-content-type-options'], 'nosniff');
    for (const [coding, open] of [
      ['br', brotliDecompressSync] as const,
      ['gzip', gunzipSync] as const,
    ]) {
      const small = await app.inject({ url, headers: { 'accept-encoding': coding } });
      t.equal(small.headers['content-encoding'], coding);
      t.equal(small.headers['content-type'], file.headers['content-type']);
      t.match(small.headers.vary, /accept-encoding/i);
      t.equal(open(small.rawPayload).toString(), file.body, `${url} as ${coding}`);
    }
    const head = await app.inject({ method: 'HEAD', url });
    t.equal(head.statusCode, 200);
    t.equal(head.body, '');
    t.equal(head.headers['content-length'], file.headers['content-length']);
  }
});

t.test('every place in the page is an address', async (t) => {
  const page = (await app.inject('/ui/')).body;
  for (const url of [
    '/ui/live',
    '/ui/s/matrix-linux-7.2.6-k3-late/ce/I1-0?step=15',
    '/ui/s/matrix-linux-7.2.6-k3-late',
    '/ui/s/matrix-linux-7.2.6-k3-late/walk/0/3/1?f=9c41aa00',
    '/ui/index.html',
  ]) {
    const answer = await app.inject(url);
    t.equal(answer.statusCode, 200, url);
    t.equal(answer.body, page);
  }
  const moved = await app.inject('/ui');
  t.equal(moved.statusCode, 308);
  t.equal(moved.headers.location, '/ui/');
  for (const url of [
    '/ui/assets/main.js',
    '/ui/favicon.ico',
    '/ui/assets',
    '/ui/assets/',
    '/ui/assets/../../package.json',
    '/ui/%2e%2e/%2e%2e/package.json',
    '/ui/..%2f..%2fpackage.json',
    '/ui/assets/%00.js',
  ]) {
    const answer = await app.inject(url);
    if (answer.statusCode === 200) t.equal(answer.body, page, url);
    else problemOf(t, answer, answer.statusCode === 400 ? 'bad_request' : 'not_found');
  }
  problemOf(t, await app.inject({ method: 'POST', url: '/ui/' }), 'method_not_allowed');
});

t.test('the browser is told to let nothing else in', async (t) => {
  for (const url of [
    '/ui/',
    '/ui/live',
    `/ui/assets/${assets.find((name) => name.endsWith('.js'))}`,
  ]) {
    const { headers } = await app.inject(url);
    const policy = String(headers['content-security-policy']);
    t.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
    t.match(policy, /require-trusted-types-for 'script'; trusted-types 'none'$/);
    t.match(policy, /frame-ancestors 'none'/);
    t.notMatch(policy, /unsafe|https?:|upgrade-insecure-requests/);
    t.equal(headers['referrer-policy'], 'no-referrer');
    t.equal(headers['cross-origin-opener-policy'], 'same-origin-allow-popups');
  }
});
