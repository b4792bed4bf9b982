/** What the environment may say, and what is refused before anything listens. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import {
  ConfigError,
  DEFAULT_CONFIG,
  isLoopback,
  readConfig,
} from '../../src/config/configuration.js';
import { VARIABLES } from '../../src/config/environment.js';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

/** What is wrong with an environment, line by line; empty when nothing is. */
function complaintsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.complaints;
    throw error;
  }
}

t.test('the environment', async (t) => {
  t.strictSame(readConfig({}), DEFAULT_CONFIG, 'may be empty');
  const env = { PORT: '9000', HOST: '::1', LOG_LEVEL: 'warn' };
  t.strictSame(readConfig(env), {
    ...DEFAULT_CONFIG,
    port: 9000,
    host: '::1',
    logLevel: 'warn',
  });
  for (const PORT of ['', '-1', '65536', '80a', '1e3']) {
    t.throws(() => readConfig({ PORT }), ConfigError, `PORT=${PORT} is refused`);
  }
  const wrong = { PORT: 'x', HOST: 'a b', LOG_LEVEL: 'loud' };
  const complaint = /^HOST .*\nPORT .*\nLOG_LEVEL must be one of .* not "loud"/;
  t.throws(() => readConfig(wrong), { message: complaint }, 'every complaint comes at once');
});

t.test('all of it can be set', async (t) => {
  const env = {
    HOST: '0.0.0.0',
    ROLE: 'worker',
    DATABASE_URL: 'postgres://lab:secret@db:5432/lab?sslmode=require',
    DATA_DIR: '/var/lib/peb slab',
    QUEUE_URL: 'rediss://:secret@queue:6379/1',
    WORKER_CONCURRENCY: '64',
    SEARCH_MEGABYTES: '16384',
    CHECKPOINT_MEGABYTES: '0',
    JOB_LOCK_SECONDS: '5',
    RETENTION_HOURS: '87600',
    EVENTS_KEPT: '1000',
    ANSWERS_KEPT: '100000000',
    OBSERVATIONS_KEPT: '1',
    OBSERVATION_MEGABYTES: '16777216',
    API_TOKENS: `ci:write:${A.toUpperCase()}`,
    ALLOW_ANONYMOUS: 'true',
    RATE_LIMIT: '0',
    ALLOWED_HOSTS: 'Lab.Example.org., [::0001],10.0.0.1',
    TRUST_PROXY: 'loopback 10.0.0.0/8,2001:db8::1',
  };
  t.strictSame(readConfig(env), {
    host: '0.0.0.0',
    port: 8080,
    logLevel: 'info',
    role: 'worker',
    databaseUrl: env.DATABASE_URL,
    dataDir: env.DATA_DIR,
    queueUrl: env.QUEUE_URL,
    workerConcurrency: 64,
    searchMegabytes: 16_384,
    checkpointMegabytes: 0,
    jobLockSeconds: 5,
    retentionHours: 87_600,
    eventsKept: 1000,
    answersKept: 100_000_000,
    observationsKept: 1,
    observationMegabytes: 16_777_216,
    tokens: [{ name: 'ci', scope: 'write', sha256: A }],
    allowAnonymous: true,
    rateLimit: 0,
    allowedHosts: ['lab.example.org', '::1', '10.0.0.1'],
    trustProxy: ['loopback', '10.0.0.0/8', '2001:db8::1'],
  });
  t.equal(readConfig({ DATABASE_URL: 'postgresql:///lab' }).databaseUrl, 'postgresql:///lab');
});

t.test('a variable that is set to nothing or to something wrong is named', async (t) => {
  const wrong: Partial<Record<(typeof VARIABLES)[number], readonly string[]>> = {
    HOST: ['', 'a b'],
    PORT: ['', '65536'],
    LOG_LEVEL: ['', 'INFO'],
    ROLE: ['', 'both'],
    DATABASE_URL: ['', 'db', 'mysql://x/y', 'postgres:/x', 'postgres://a:b@:x/'],
    DATA_DIR: ['', 'a\u0000b'],
    QUEUE_URL: ['', 'amqp://x', 'redis:x'],
    WORKER_CONCURRENCY: ['', '0', '65', '1.5'],
    SEARCH_MEGABYTES: ['', '7', '16385', '1e3'],
    CHECKPOINT_MEGABYTES: ['', '-1', '1048577'],
    JOB_LOCK_SECONDS: ['', '4', '601'],
    RETENTION_HOURS: ['', '0', '87601'],
    EVENTS_KEPT: ['', '999', '1e6'],
    ANSWERS_KEPT: ['', '999', '100000001'],
    OBSERVATIONS_KEPT: ['', '0', '1000001'],
    OBSERVATION_MEGABYTES: ['', '0', '16777217'],
    API_TOKENS: ['', ' ,\n', 'ci', 'ci:write', `ci:root:${A}`, `c/i:read:${A}`, `:read:${A}`],
    API_TOKENS_FILE: ['', '/nonexistent/tokens', '/'],
    ALLOW_ANONYMOUS: ['', 'yes', 'TRUE'],
    RATE_LIMIT: ['', '-1', '1000001'],
    ALLOWED_HOSTS: [
      '',
      ' , ',
      '*',
      'lab:8080',
      'http://lab',
      'a b/c',
      '[::1',
      'a..b',
      'x,'.repeat(101),
    ],
    TRUST_PROXY: ['', '1', 'true', 'lab', '10.0.0.0/0', '::/0', '10.0.0.0/33', '10.0.0.0/8/8'],
  };
  t.strictSame(Object.keys(wrong).sort(), [...VARIABLES].sort(), 'every variable is tried');
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const complaints = complaintsOf({ [name]: value });
      t.equal(complaints.length, 1, `${name}=${JSON.stringify(value)} is refused once`);
      t.match(complaints, [new RegExp(`^${name} `)]);
    }
  }
});

t.test('no complaint shows a secret', async (t) => {
  const secret = 'f00dfeedf00dfeedf00dfeedf00dfeedf00dfeedf00dfeedf00dfeedf00dfeed';
  for (const [name, value] of [
    ['DATABASE_URL', `postgres://lab:${secret}@host:port/`],
    ['DATABASE_URL', `mysql://lab:${secret}@host/`],
    ['QUEUE_URL', `amqp://lab:${secret}@host/`],
    ['API_TOKENS', secret],
    ['API_TOKENS', `${secret}:write`],
    ['API_TOKENS', `ci:${secret}:write`],
    ['API_TOKENS', `ci:write:${secret}0`],
    ['API_TOKENS', `${secret}!:write:${A}`],
    ['API_TOKENS_FILE', secret],
  ] as const) {
    const complaints = complaintsOf({ [name]: value });
    t.ok(complaints.length > 0, name);
    t.notMatch(complaints.join('\n'), /f00d/, complaints.join('\n'));
  }
});

t.test('tokens', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'pebslab-tokens-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const ci = { name: 'ci', scope: 'write', sha256: A };
  const grafana = { name: 'grafana', scope: 'read', sha256: B };

  const written = file('good', `# who may do what\n\ngrafana:read:${B}  # dashboards\r\n`);
  t.strictSame(readConfig({ API_TOKENS_FILE: written }).tokens, [grafana], 'come from a file');
  const both = readConfig({ API_TOKENS: `ci:write:${A}`, API_TOKENS_FILE: written });
  t.strictSame(both.tokens, [ci, grafana], 'and from both places');
  for (const gap of [',', ' ', '\n', ', ']) {
    const { tokens } = readConfig({ API_TOKENS: `ci:write:${A}${gap}grafana:read:${B}` });
    t.strictSame(tokens, [ci, grafana], `separated by ${JSON.stringify(gap)}`);
  }

  const machine = { name: 'm', scope: 'pool', pools: ['lab-a', 'lab.b'], sha256: A };
  t.strictSame(readConfig({ API_TOKENS: `m:pool=lab-a+lab.b:${A}` }).tokens, [machine]);
  for (const scope of ['pool', 'pool=', 'pool=a++b', 'pool=-a', 'read=lab-a', 'pools=a']) {
    const [complaint] = complaintsOf({ API_TOKENS: `m:${scope}:${A}` });
    t.match(complaint, /entry 1, the scope/, scope);
  }

  t.match(complaintsOf({ API_TOKENS_FILE: file('empty', '# none\n') }), [/has no entries/]);
  t.match(
    complaintsOf({ API_TOKENS: `x:read:${A},x:read:${B}` }),
    [/^API_TOKENS has the name x more than once/],
    'a name stands for one token',
  );
  t.match(
    complaintsOf({ API_TOKENS: `x:read:${A}`, API_TOKENS_FILE: file('x', `x:read:${B}`) }),
    [/the name x more than once/],
    'wherever it was read',
  );
  t.match(
    complaintsOf({ API_TOKENS: `x:read:${A},y:admin:${A}` }),
    [/gives x and y the same token/],
    'a token stands for one name',
  );
  t.match(
    complaintsOf({ API_TOKENS: `ci:write:${A},ci:write:1,nobody` }),
    [/entry 2, the last part/, /entry 3, there are 1 parts/],
    'each wrong entry is told by its place',
  );
  t.equal(complaintsOf({ API_TOKENS: 'x '.repeat(5000) }).length, 11, 'at most ten of them');

  const many = (n: number): string =>
    Array.from({ length: n }, (_, i) => `t${i}:read:${i.toString(16).padStart(64, '0')}`).join();
  t.equal(readConfig({ API_TOKENS: many(1000) }).tokens.length, 1000);
  t.match(complaintsOf({ API_TOKENS: many(1001) }), [/at most 1000 tokens/]);
});

t.test('other machines are let in only with tokens, or on purpose', async (t) => {
  for (const HOST of ['127.0.0.1', '127.8.9.10', '::1', '0:0:0:0:0:0:0:1', 'localhost']) {
    t.ok(isLoopback(HOST), HOST);
    t.strictSame(complaintsOf({ HOST }), [], `${HOST} needs no tokens`);
  }
  for (const HOST of ['0.0.0.0', '::', '10.0.0.1', 'lab', '127.0.0.1.example.org', 'localhost.x']) {
    t.notOk(isLoopback(HOST), HOST);
    t.match(complaintsOf({ HOST }), [/^HOST .* API_TOKENS .* ALLOW_ANONYMOUS=1/], HOST);
    t.match(complaintsOf({ HOST, ALLOW_ANONYMOUS: '0' }), [/^HOST /]);
    t.strictSame(complaintsOf({ HOST, ALLOW_ANONYMOUS: '1' }), []);
    t.strictSame(complaintsOf({ HOST, API_TOKENS: `ci:write:${A}` }), []);
  }
  t.match(
    complaintsOf({ HOST: '0.0.0.0', API_TOKENS: 'ci' }),
    [/^API_TOKENS /],
    'where tokens are wrong, that is the only complaint',
  );
});

t.test('processes that share the work share a database', async (t) => {
  for (const ROLE of ['api', 'worker']) {
    t.match(complaintsOf({ ROLE }), [new RegExp(`^ROLE ${ROLE} needs DATABASE_URL`)]);
    t.strictSame(complaintsOf({ ROLE, DATABASE_URL: 'postgres://db/lab' }), []);
    t.match(
      complaintsOf({ ROLE, DATABASE_URL: 'db' }),
      [/^DATABASE_URL /],
      'one complaint is enough',
    );
  }
});
