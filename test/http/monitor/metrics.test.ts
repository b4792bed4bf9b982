/** The two formats of /metrics say the same, in whatever order they are asked for, and Prometheus has no complaint. */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { build } from '../../helper.js';

const OPENMETRICS = 'application/openmetrics-text; version=1.0.0';

/** What Node.js is waiting for at this moment; a series comes and goes with it. */
const FLEETING = /^nodejs_active_/;

/** The lines of names and types, and the names of all series: what may not change from scrape to scrape. */
function shape(text: string): string[] {
  const names = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('# EOF') && !FLEETING.test(line))
    .map((line) => (line.startsWith('#') ? line : line.replace(/[{ ].*$/, '')));
  return [...new Set(names)].sort();
}

const app = await build(t);
const scrape = async (accept: string) => {
  const response = await app.inject({ url: '/metrics', headers: { accept } });
  t.equal(response.statusCode, 200);
  return response.body;
};

// Something of everything, so that every metric has a series.
const made = await app.inject({
  method: 'POST',
  url: '/v1/hosts',
  payload: { cpu_model: 'emerald-rapids', kernel: 'upstream-base' },
});
const host = `/v1/hosts/${made.json().id}`;
await app.inject({
  method: 'POST',
  url: `${host}/scripts`,
  payload: {
    actions: [
      { action: 'open_event', counter: 'PMC0', precise_ip: 2, exclude_guest: true },
      { action: 'add_vcpu', name: 'guest' },
      {
        action: 'transition',
        vcpu: 'guest',
        kind: 'round_trip',
        inject: [{ at: 'k5_switch', nmi: { throttle: ['PMC0'] } }],
      },
    ],
  },
});
await scrape('text/plain');

t.test('one format does not change the other', async (t) => {
  const text = await scrape('text/plain');
  const open = await scrape(OPENMETRICS);
  const again = await scrape('text/plain');
  const openAgain = await scrape(OPENMETRICS);
  t.strictSame(shape(again), shape(text));
  t.strictSame(shape(openAgain), shape(open));
  for (const body of [text, again]) {
    t.match(body, /^pebslab_round_trips_total 1$/m);
    t.match(body, /^# TYPE pebslab_round_trips_total counter$/m);
    t.match(body, /^process_cpu_seconds_total \d/m);
  }
  t.match(open, /^# TYPE pebslab_round_trips counter$/m);
  t.match(open, /^pebslab_round_trips_total 1$/m);
  const series = (body: string) => shape(body).filter((line) => !line.startsWith('#'));
  t.strictSame(series(open), series(text), 'the same series');
});

t.test('no gauge is named as a counter', async (t) => {
  const text = await scrape('text/plain');
  t.strictSame(text.match(/^# TYPE \S+_total (?!counter).*$/gm), null);
  t.strictSame(text.match(/^# TYPE \S+(?<!_total) counter$/gm), null);
});

t.test('promtool has no complaint', async (t) => {
  if (spawnSync('promtool', ['--version']).error !== undefined) {
    t.comment('promtool is not installed here; the Debian package prometheus has it');
    return;
  }
  for (const format of ['text/plain', OPENMETRICS, 'text/plain']) {
    const body = await scrape(format);
    // It reads the text format only.
    if (format === OPENMETRICS) continue;
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: body });
    t.equal(status, 0, `${stdout}${stderr}`);
  }
});
