/**
 * The only reader of the environment. Everything else receives a `Config`, so that a test can
 * build an app without touching `process.env`.
 */
import { readFileSync } from 'node:fs';
import { BlockList, isIP, isIPv4 } from 'node:net';
import { type AccessToken, parseTokens, repeatedTokens, TOKENS_MAX } from './access-tokens.js';
import { type Environment, EnvironmentReader } from './environment.js';
import { hostName } from './host-name.js';
import { SEARCH_MEGABYTES_MAX, SEARCH_MEGABYTES_MIN, searchMegabytes } from './memory.js';

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

/** What a process does: answer requests, work through jobs, or both. */
const ROLES = ['all', 'api', 'worker'] as const;
type Role = (typeof ROLES)[number];

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly logLevel: LogLevel;
  readonly role: Role;
  /** Of PostgreSQL; without it the service brings its own, under `dataDir`. */
  readonly databaseUrl?: string;
  readonly dataDir: string;
  readonly queueUrl?: string;
  /** How many jobs a worker runs at once. */
  readonly workerConcurrency: number;
  /** The most memory that the states of one search may take, in MiB. */
  readonly searchMegabytes: number;
  /** After how long the job of a dead worker is taken over. */
  readonly jobLockSeconds: number;
  /** How long what has ended is kept. */
  readonly retentionHours: number;
  /** How many events are kept, and how many answers of idempotency keys: the newest, whatever their age. */
  readonly eventsKept: number;
  readonly answersKept: number;
  /** Who may use the service; empty means anybody who reaches it. */
  readonly tokens: readonly AccessToken[];
  /** Lets a service without tokens listen to other machines. It opens nothing where there are tokens. */
  readonly allowAnonymous: boolean;
  /** Requests a minute and token; 0 means any number. */
  readonly rateLimit: number;
  /** Names, beside this machine's own, under which clients may address the service; lower case. */
  readonly allowedHosts: readonly string[];
  /** Addresses and networks of the proxies whose `X-Forwarded-*` is believed; empty is none. */
  readonly trustProxy: readonly string[];
}

export const DEFAULT_CONFIG: Config = {
  host: '127.0.0.1',
  port: 8080,
  logLevel: 'info',
  role: 'all',
  dataDir: './data',
  workerConcurrency: 2,
  searchMegabytes: searchMegabytes(2),
  jobLockSeconds: 30,
  retentionHours: 720,
  eventsKept: 1_000_000,
  answersKept: 1_000_000,
  tokens: [],
  allowAnonymous: false,
  rateLimit: 6000,
  allowedHosts: [],
  trustProxy: [],
};

/** Every complaint at once, so that an operator mends a deployment in one go. */
export class ConfigError extends Error {
  constructor(readonly complaints: readonly string[]) {
    super(complaints.join('\n'));
    this.name = 'ConfigError';
  }
}

export function readConfig(env: Environment = process.env): Config {
  const reader = new EnvironmentReader(env);
  const databaseUrl = reader.url('DATABASE_URL', ['postgres', 'postgresql']);
  const queueUrl = reader.url('QUEUE_URL', ['redis', 'rediss', 'valkey']);
  const fallback = DEFAULT_CONFIG;
  const workerConcurrency = reader.integer('WORKER_CONCURRENCY', 1, 64, fallback.workerConcurrency);
  const config: Config = {
    host: reader.matching('HOST', HOST, 'must be a host name or an IP address', fallback.host),
    // Port 0 asks the system for a free port, which tests of the process rely on.
    port: reader.integer('PORT', 0, 65535, fallback.port),
    logLevel: reader.oneOf('LOG_LEVEL', LOG_LEVELS, fallback.logLevel),
    role: reader.oneOf('ROLE', ROLES, fallback.role),
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
    dataDir: reader.matching('DATA_DIR', PATH, 'must be the path of a folder', fallback.dataDir),
    ...(queueUrl === undefined ? {} : { queueUrl }),
    workerConcurrency,
    searchMegabytes: reader.integer(
      'SEARCH_MEGABYTES',
      SEARCH_MEGABYTES_MIN,
      SEARCH_MEGABYTES_MAX,
      searchMegabytes(workerConcurrency),
    ),
    jobLockSeconds: reader.integer('JOB_LOCK_SECONDS', 5, 600, fallback.jobLockSeconds),
    retentionHours: reader.integer('RETENTION_HOURS', 1, 87_600, fallback.retentionHours),
    eventsKept: reader.integer('EVENTS_KEPT', 1000, 100_000_000, fallback.eventsKept),
    answersKept: reader.integer('ANSWERS_KEPT', 1000, 100_000_000, fallback.answersKept),
    tokens: readTokens(reader),
    allowAnonymous: reader.flag('ALLOW_ANONYMOUS', fallback.allowAnonymous),
    rateLimit: reader.integer('RATE_LIMIT', 0, 1_000_000, fallback.rateLimit),
    allowedHosts: readAllowedHosts(reader),
    trustProxy: readTrustProxy(reader),
  };
  checkRole(config, reader);
  checkExposure(config, reader);
  if (reader.complaints.length > 0) throw new ConfigError(reader.complaints);
  return config;
}

const HOST = /^[A-Za-z0-9.:_-]{1,253}$/;
const PATH = /^\P{Cc}{1,4096}$/u;

/** Tokens from both places add up, so that a deployment can add one to a shared file. */
function readTokens(reader: EnvironmentReader): readonly AccessToken[] {
  const tokens: AccessToken[] = [];
  for (const name of ['API_TOKENS', 'API_TOKENS_FILE'] as const) {
    const text = name === 'API_TOKENS' ? reader.text(name) : readTokensFile(reader);
    if (text === undefined) continue;
    const read = parseTokens(text);
    tokens.push(...read.tokens);
    for (const complaint of read.complaints) reader.complain(name, complaint);
  }
  if (tokens.length > TOKENS_MAX) {
    reader.complain('API_TOKENS', `and API_TOKENS_FILE may have at most ${TOKENS_MAX} tokens.`);
    return [];
  }
  const source = reader.text('API_TOKENS') === undefined ? 'API_TOKENS_FILE' : 'API_TOKENS';
  for (const complaint of repeatedTokens(tokens)) reader.complain(source, complaint);
  return tokens;
}

function readTokensFile(reader: EnvironmentReader): string | undefined {
  const path = reader.text('API_TOKENS_FILE');
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8').replace(/#.*/g, '');
  } catch (error) {
    // Not the path: whoever mixes up the two variables put tokens there.
    const { code = 'no code' } = error as NodeJS.ErrnoException;
    reader.complain('API_TOKENS_FILE', `names a file that cannot be read (${code}).`);
    return undefined;
  }
}

const LIST_MAX = 100;

/** Without ports: another port of the same name is the same machine. */
function readAllowedHosts(reader: EnvironmentReader): string[] {
  const rule = `must be at most ${LIST_MAX} host names or IP addresses without ports`;
  const isName = (entry: string): boolean => hostName(entry) !== undefined;
  return reader
    .list('ALLOWED_HOSTS', isName, LIST_MAX, rule)
    .map((entry) => hostName(entry) ?? entry);
}

/** Never everybody: then every client could choose the address it is known by. */
function readTrustProxy(reader: EnvironmentReader): string[] {
  const rule = `must be at most ${LIST_MAX} addresses or networks of proxies, such as loopback or 10.0.0.0/8`;
  return reader.list('TRUST_PROXY', isNetwork, LIST_MAX, rule);
}

/** The groups of addresses that Fastify knows by name. */
const NETWORKS = ['loopback', 'linklocal', 'uniquelocal'];

function isNetwork(entry: string): boolean {
  if (NETWORKS.includes(entry)) return true;
  const [address = '', bits, ...more] = entry.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return bits === undefined || (/^[0-9]{1,3}$/.test(bits) && isPrefix(Number(bits), family));
}

/** Of length 0 would be everybody. */
function isPrefix(bits: number, family: number): boolean {
  return bits >= 1 && bits <= (family === 4 ? 32 : 128);
}

/** Processes that share the work must share the database, and only an outside one can be shared. */
function checkRole({ role }: Config, reader: EnvironmentReader): void {
  if (role === 'all' || reader.text('DATABASE_URL') !== undefined) return;
  reader.complain('ROLE', `${role} needs DATABASE_URL: only role all can do without a database.`);
}

/** Fails closed: a service that other machines reach asks for tokens, unless told that it need not. */
function checkExposure(config: Config, reader: EnvironmentReader): void {
  if (config.allowAnonymous || isLoopback(config.host)) return;
  // Where tokens were given and are wrong, that is the complaint.
  const given = reader.text('API_TOKENS') ?? reader.text('API_TOKENS_FILE');
  if (config.tokens.length > 0 || given !== undefined) return;
  reader.complain(
    'HOST',
    `${config.host} lets other machines in, but nobody needs a token. Set API_TOKENS or API_TOKENS_FILE, listen on 127.0.0.1, or set ALLOW_ANONYMOUS=1 to let anybody do everything.`,
  );
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether only this machine can reach an address that is listened on. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return host.toLowerCase() === 'localhost';
  return LOOPBACK.check(host, isIPv4(host) ? 'ipv4' : 'ipv6');
}
