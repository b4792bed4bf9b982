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

/** What a process does: answer requests, run jobs, or both. */
const ROLES = ['all', 'api', 'worker'] as const;
type Role = (typeof ROLES)[number];

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly logLevel: LogLevel;
  readonly role: Role;
  /** A PostgreSQL server; without it the service runs its own, under `dataDir`. */
  readonly databaseUrl?: string;
  readonly dataDir: string;
  readonly queueUrl?: string;
  /** How many jobs a worker runs at once. */
  readonly workerConcurrency: number;
  /** The most memory that the states of one search may take, in MiB. */
  readonly searchMegabytes: number;
  /** The most disk that searches under way or paused may take under `dataDir`, in MiB. */
  readonly checkpointMegabytes: number;
  /** How long until another worker takes over the job of a dead one. */
  readonly jobLockSeconds: number;
  /** How long ended work and events are kept. */
  readonly retentionHours: number;
  /** How many events, and how many answers of idempotency keys, are kept at most: the newest ones. */
  readonly eventsKept: number;
  readonly answersKept: number;
  /** How many texts of real machines are kept at most, and how many MiB of them, compressed: the newest ones. */
  readonly observationsKept: number;
  readonly observationMegabytes: number;
  /** Empty: every client that can reach the service has full access. */
  readonly tokens: readonly AccessToken[];
  /** Lets a service without tokens accept other machines. No effect with tokens. */
  readonly allowAnonymous: boolean;
  /** Requests per minute and token; 0 is unlimited. */
  readonly rateLimit: number;
  /** Host names, besides this machine's own, that clients may use for the service; lower case. */
  readonly allowedHosts: readonly string[];
  /** Addresses and networks of trusted proxies, whose `X-Forwarded-*` is used. */
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
  checkpointMegabytes: 4096,
  jobLockSeconds: 30,
  retentionHours: 720,
  eventsKept: 1_000_000,
  answersKept: 1_000_000,
  observationsKept: 10_000,
  observationMegabytes: 8192,
  tokens: [],
  allowAnonymous: false,
  rateLimit: 6000,
  allowedHosts: [],
  trustProxy: [],
};

/** Reports all errors together, so that an operator can fix a deployment in one go. */
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
    // Port 0 asks the system for a free port; tests of the process use it.
    port: reader.integer('PORT', 0, 65535, fallback.port),
    logLevel: reader.oneOf('LOG_LEVEL', LOG_LEVELS, fallback.logLevel),
    role: reader.oneOf('ROLE', ROLES, fallback.role),
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
    dataDir: reader.matching('DATA_DIR', PATH, 'must be the path of a directory', fallback.dataDir),
    ...(queueUrl === undefined ? {} : { queueUrl }),
    workerConcurrency,
    searchMegabytes: reader.integer(
      'SEARCH_MEGABYTES',
      SEARCH_MEGABYTES_MIN,
      SEARCH_MEGABYTES_MAX,
      searchMegabytes(workerConcurrency),
    ),
    checkpointMegabytes: reader.integer(
      'CHECKPOINT_MEGABYTES',
      0,
      1_048_576,
      fallback.checkpointMegabytes,
    ),
    jobLockSeconds: reader.integer('JOB_LOCK_SECONDS', 5, 600, fallback.jobLockSeconds),
    retentionHours: reader.integer('RETENTION_HOURS', 1, 87_600, fallback.retentionHours),
    eventsKept: reader.integer('EVENTS_KEPT', 1000, 100_000_000, fallback.eventsKept),
    answersKept: reader.integer('ANSWERS_KEPT', 1000, 100_000_000, fallback.answersKept),
    observationsKept: reader.integer('OBSERVATIONS_KEPT', 1, 1_000_000, fallback.observationsKept),
    observationMegabytes: reader.integer(
      'OBSERVATION_MEGABYTES',
      1,
      16_777_216,
      fallback.observationMegabytes,
    ),
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

/** Tokens of both variables are combined, so that a deployment can add one to a shared file. */
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
    // Not the path: if the two variables were mixed up, it is a token.
    const { code = 'no code' } = error as NodeJS.ErrnoException;
    reader.complain('API_TOKENS_FILE', `names a file that cannot be read (${code}).`);
    return undefined;
  }
}

const LIST_MAX = 100;

/** Without ports: a name stands for the machine on any port. */
function readAllowedHosts(reader: EnvironmentReader): string[] {
  const rule = `must be at most ${LIST_MAX} host names or IP addresses without ports`;
  const isName = (entry: string): boolean => hostName(entry) !== undefined;
  return reader
    .list('ALLOWED_HOSTS', isName, LIST_MAX, rule)
    .map((entry) => hostName(entry) ?? entry);
}

/** Never all addresses: then every client could forge its own. */
function readTrustProxy(reader: EnvironmentReader): string[] {
  const rule = `must be at most ${LIST_MAX} addresses or networks of proxies, such as loopback or 10.0.0.0/8`;
  return reader.list('TRUST_PROXY', isNetwork, LIST_MAX, rule);
}

/** The networks that Fastify knows by name. */
const NETWORKS = ['loopback', 'linklocal', 'uniquelocal'];

function isNetwork(entry: string): boolean {
  if (NETWORKS.includes(entry)) return true;
  const [address = '', bits, ...more] = entry.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return bits === undefined || (/^[0-9]{1,3}$/.test(bits) && isPrefix(Number(bits), family));
}

/** Length 0 would be all addresses. */
function isPrefix(bits: number, family: number): boolean {
  return bits >= 1 && bits <= (family === 4 ? 32 : 128);
}

/** Processes that share work must share a database, and a private one cannot be shared. */
function checkRole({ role }: Config, reader: EnvironmentReader): void {
  if (role === 'all' || reader.text('DATABASE_URL') !== undefined) return;
  reader.complain('ROLE', `${role} needs DATABASE_URL: only role all can run a private database.`);
}

/** Fails closed: a service that other machines can reach needs tokens, unless ALLOW_ANONYMOUS is set. */
function checkExposure(config: Config, reader: EnvironmentReader): void {
  if (config.allowAnonymous || isLoopback(config.host)) return;
  // If tokens were given and are invalid, that is already reported.
  const given = reader.text('API_TOKENS') ?? reader.text('API_TOKENS_FILE');
  if (config.tokens.length > 0 || given !== undefined) return;
  reader.complain(
    'HOST',
    `${config.host} is reachable from other machines, but no tokens are configured. Set API_TOKENS or API_TOKENS_FILE, listen on 127.0.0.1, or set ALLOW_ANONYMOUS=1 to give every client full access.`,
  );
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether an address to listen on is reachable only from this machine. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return host.toLowerCase() === 'localhost';
  return LOOPBACK.check(host, isIPv4(host) ? 'ipv4' : 'ipv6');
}
