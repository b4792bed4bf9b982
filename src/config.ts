/**
 * The only reader of the environment. Everything else receives a `Config`, so that a test can
 * build an app without touching `process.env`.
 */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly logLevel: LogLevel;
}

export const DEFAULT_CONFIG: Config = { host: '127.0.0.1', port: 8080, logLevel: 'info' };

/** Every complaint at once, so that an operator mends a deployment in one go. */
export class ConfigError extends Error {
  constructor(readonly complaints: readonly string[]) {
    super(complaints.join('\n'));
    this.name = 'ConfigError';
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

export function readConfig(env: Environment = process.env): Config {
  const complaints: string[] = [];
  const config: Config = {
    host: readHost(env, complaints),
    port: readPort(env, complaints),
    logLevel: readLogLevel(env, complaints),
  };
  if (complaints.length > 0) throw new ConfigError(complaints);
  return config;
}

function readHost(env: Environment, complaints: string[]): string {
  const text = env.HOST;
  if (text === undefined) return DEFAULT_CONFIG.host;
  if (/^[A-Za-z0-9.:_-]{1,253}$/.test(text)) return text;
  complaints.push(`HOST must be a host name or an IP address, not ${JSON.stringify(text)}.`);
  return DEFAULT_CONFIG.host;
}

/** Port 0 asks the system for a free port, which tests of the process rely on. */
function readPort(env: Environment, complaints: string[]): number {
  const text = env.PORT;
  if (text === undefined) return DEFAULT_CONFIG.port;
  if (/^[0-9]{1,5}$/.test(text) && Number(text) <= 65535) return Number(text);
  complaints.push(`PORT must be an integer from 0 to 65535, not ${JSON.stringify(text)}.`);
  return DEFAULT_CONFIG.port;
}

function readLogLevel(env: Environment, complaints: string[]): LogLevel {
  const text = env.LOG_LEVEL;
  if (text === undefined) return DEFAULT_CONFIG.logLevel;
  const level = LOG_LEVELS.find((known) => known === text);
  if (level !== undefined) return level;
  complaints.push(
    `LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}, not ${JSON.stringify(text)}.`,
  );
  return DEFAULT_CONFIG.logLevel;
}
