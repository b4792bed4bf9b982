/** Idempotency keys: which are in progress, and the answers of the last 24 hours. */
import { type Kysely, sql } from 'kysely';
import pg from 'pg';
import { connectionOptions, type Database, surviveBreaks } from './database.js';
import { GroupCommit } from './group-commit.js';
import type { Tables } from './tables.js';

export interface KeyOf {
  /** The owner of the key. */
  readonly principal: string;
  readonly key: string;
}

/** An answer, to be written together with the change it reports. */
export interface StoredAnswer extends KeyOf {
  /** Of the request: the same key with a different fingerprint is a client error. */
  readonly fingerprint: string;
  readonly answer: string;
}

export type Claim =
  | { readonly state: 'claimed' }
  | { readonly state: 'in_flight' }
  | {
      readonly state: 'answered';
      readonly fingerprint: string;
      readonly answer: string;
      /** Whether the key must be released. */
      readonly claimed: boolean;
    };

/**
 * A key is claimed by an advisory lock of one long-lived session: if this process dies, PostgreSQL releases its keys at once,
 * and a retry on another instance finds either the answer or a free key.
 */
export class IdempotencyStore {
  /** One connection, kept while it lasts: its session holds the locks. */
  private readonly session: pg.Pool;
  private readonly claims: GroupCommit<KeyOf, Claim>;
  private readonly releases: GroupCommit<KeyOf, undefined>;

  constructor(url: string, onError: (error: Error) => void) {
    this.session = new pg.Pool({
      ...connectionOptions(url),
      application_name: 'pebslab keys',
      max: 1,
      idleTimeoutMillis: 0,
    });
    this.session.on('error', onError);
    surviveBreaks(this.session);
    this.claims = new GroupCommit((keys) => this.claimAll(keys), 1);
    this.releases = new GroupCommit((keys) => this.releaseAll(keys), 1);
  }

  claim(key: KeyOf): Promise<Claim> {
    return this.claims.add(key);
  }

  /** The stored answer of a key that this process already holds. */
  async find({ principal, key }: KeyOf): Promise<Claim> {
    const { rows } = await this.session.query<Claimed>({
      name: 'find_key',
      text: 'select false as claimed, fingerprint, answer from idempotency_keys where principal = $1 and key = $2',
      values: [principal, key],
    });
    return rows[0] === undefined ? { state: 'in_flight' } : claimOf(rows[0]);
  }

  async release(key: KeyOf): Promise<void> {
    // A lost session has already released its keys.
    await this.releases.add(key).catch(() => {});
  }

  /** Releases all keys; none can be claimed after this. */
  async close(): Promise<void> {
    if (!this.session.ended && !this.session.ending) await this.session.end();
  }

  private async claimAll(keys: readonly KeyOf[]): Promise<Claim[]> {
    // A failed statement closes its connection, which releases any locks it took.
    const { rows } = await this.session.query<Claimed>({
      name: 'claim_keys',
      text: 'select * from claim_keys($1::text[], $2::text[])',
      values: [keys.map(({ principal }) => principal), keys.map(({ key }) => key)],
    });
    return rows.map(claimOf);
  }

  private async releaseAll(keys: readonly KeyOf[]): Promise<undefined[]> {
    await this.session.query({
      name: 'release_keys',
      text: 'select release_keys($1::text[], $2::text[])',
      values: [keys.map(({ principal }) => principal), keys.map(({ key }) => key)],
    });
    return keys.map(() => undefined);
  }
}

interface Claimed {
  readonly claimed: boolean;
  readonly fingerprint: string | null;
  readonly answer: string | null;
}

function claimOf({ claimed, fingerprint, answer }: Claimed): Claim {
  if (fingerprint !== null && answer !== null) {
    return { state: 'answered', fingerprint, answer, claimed };
  }
  return { state: claimed ? 'claimed' : 'in_flight' };
}

/** Writes an answer in the transaction of the change it reports. */
export async function insertAnswer(
  trx: Kysely<Tables>,
  answer: StoredAnswer | undefined,
): Promise<void> {
  if (answer === undefined) return;
  await trx.insertInto('idempotency_keys').values(answer).execute();
}

/** Deletes at most `limit` answers that are too old or too many; looks only at the oldest. Returns how many. */
export async function forgetAnswers(
  { query }: Pick<Database, 'query'>,
  hours: number,
  kept: number,
  limit: number,
): Promise<number> {
  const { numAffectedRows = 0n } = await FORGET_ANSWERS(hours, kept, limit).execute(query);
  return Number(numAffectedRows);
}

/** A test checks with `explain` that this reads the index on `seq`. */
const FORGET_ANSWERS = (hours: number, kept: number, limit: number) => sql`
  with oldest as (
    select i.ctid, i.seq, i.created_at from idempotency_keys i order by i.seq limit ${limit}
  )
  delete from idempotency_keys
   where ctid = any (array(
     select o.ctid from oldest o
      where o.created_at < now() - make_interval(secs => ${hours * 3600})
         or o.seq <= (select max(i.seq) from idempotency_keys i) - ${kept}::bigint))`;
