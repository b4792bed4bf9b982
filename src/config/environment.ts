/** Reads environment variables and collects the errors in them. */
export const VARIABLES = [
  'HOST',
  'PORT',
  'LOG_LEVEL',
  'ROLE',
  'DATABASE_URL',
  'DATA_DIR',
  'QUEUE_URL',
  'WORKER_CONCURRENCY',
  'SEARCH_MEGABYTES',
  'CHECKPOINT_MEGABYTES',
  'JOB_LOCK_SECONDS',
  'RETENTION_HOURS',
  'EVENTS_KEPT',
  'ANSWERS_KEPT',
  'OBSERVATIONS_KEPT',
  'OBSERVATION_MEGABYTES',
  'API_TOKENS',
  'API_TOKENS_FILE',
  'ALLOW_ANONYMOUS',
  'RATE_LIMIT',
  'ALLOWED_HOSTS',
  'TRUST_PROXY',
] as const;
type Variable = (typeof VARIABLES)[number];

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Each method returns the fallback if a variable is absent or invalid. An empty variable is
 * invalid: usually something that should have filled it in did not.
 */
export class EnvironmentReader {
  readonly complaints: string[] = [];

  constructor(private readonly env: Environment) {}

  /** Accepts only listed names, so that no undocumented variable is read. */
  text(name: Variable): string | undefined {
    return this.env[name];
  }

  complain(name: Variable, rule: string): void {
    this.complaints.push(`${name} ${rule}`);
  }

  /** Quotes the value: only for variables that hold no secret. */
  private refuse(name: Variable, rule: string, value: string): void {
    this.complain(name, `${rule}, not ${JSON.stringify(value.slice(0, 100))}.`);
  }

  matching(name: Variable, pattern: RegExp, rule: string, fallback: string): string {
    const text = this.text(name);
    if (text === undefined) return fallback;
    if (pattern.test(text)) return text;
    this.refuse(name, rule, text);
    return fallback;
  }

  /** Entries separated by commas or white space, each checked on its own. */
  list(name: Variable, isEntry: (entry: string) => boolean, max: number, rule: string): string[] {
    const text = this.text(name);
    if (text === undefined) return [];
    const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
    if (entries.length >= 1 && entries.length <= max && entries.every(isEntry)) return entries;
    this.refuse(name, rule, text);
    return [];
  }

  integer(name: Variable, min: number, max: number, fallback: number): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = Number(text);
    if (/^[0-9]{1,9}$/.test(text) && value >= min && value <= max) return value;
    this.refuse(name, `must be an integer from ${min} to ${max}`, text);
    return fallback;
  }

  oneOf<const T extends string>(name: Variable, choices: readonly T[], fallback: T): T {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const choice = choices.find((known) => known === text);
    if (choice !== undefined) return choice;
    this.refuse(name, `must be one of ${choices.join(', ')}`, text);
    return fallback;
  }

  flag(name: Variable, fallback: boolean): boolean {
    const text = this.oneOf(name, ['1', '0', 'true', 'false'], fallback ? '1' : '0');
    return text === '1' || text === 'true';
  }

  /** A URL may hold a password, so it is never quoted. */
  url(name: Variable, schemes: readonly string[]): string | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (schemes.some((scheme) => text.startsWith(`${scheme}://`)) && URL.canParse(text))
      return text;
    const starts = schemes.map((scheme) => `${scheme}://`).join(' or ');
    this.complain(name, `must be a URL that starts with ${starts}; its value is not shown here.`);
    return undefined;
  }
}
