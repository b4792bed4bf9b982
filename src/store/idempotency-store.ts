/** Idempotency keys: what is being answered under which key, and the answers that were given, for 24 hours. */
import type { Kysely } from 'kysely';
import pg from 'pg';
import { connectionOptions, type Database, surviveBreaks } from './database.js';
import { GroupCommit } from './group-commit.js';
import type { Tables } from './tables.js';

export interface KeyOf {
  /** Whose key it is. */
  readonly principal: string;
  readonly key: string;
}

/** An answer, to be written together with what it tells. */
export interface StoredAnswer extends KeyOf {
  /** Of the request: the same key with another one is a mistake of the client. */
  readonly fingerprint: string;
  readonly answer: string;
}

export type Claim =
  | { readonly state: 'claimed' }
  | { readonly state: 'in_flight' }
  | { readonly state: 'answered'; readonly fingerprint: string; readonly answer: string };

/**
 * A key is claimed by an advisory lock of one long-lived session: if this process dies, PostgreSQL frees its keys at once,
 * and a retry elsewhere finds either the answer or a free key.
 */
export class IdempotencyStore {
  /** One connection for as long as it lasts: its session holds the locks. */
  private readonly session: pg.Pool;
  private readonly claims: GroupCommit<KeyOf, Claim>;
  private readonly releases: GroupCommit<KeyOf, undefined>;

  constructor(url: string, onError: (error: Error) => void) {
    this.session = new pg.Pool({ ...connectionOptions(url), max: 1, idleTimeoutMillis: 0 });
    this.session.on('error', onError);
    surviveBreaks(this.session);
    this.claims = new GroupCommit((keys) => this.claimAll(keys), 1);
    this.releases = new GroupCommit((keys) => this.releaseAll(keys), 1);
  }

  claim(key: KeyOf): Promise<Claim> {
    return this.claims.add(key);
  }

  async release(key: KeyOf): Promise<void> {
    // A session that is lost has released its keys already.
    await this.releases.add(key).catch(() => {});
  }

  async close(): Promise<void> {
    await this.session.end();
  }

  private async claimAll(keys: readonly KeyOf[]): Promise<Claim[]> {
    const { rows } = await this.session.query<{
      claimed: boolean;
      stored_fingerprint: string | null;
      stored_answer: string | null;
    }>({
      name: 'claim_keys',
      text: 'select * from claim_keys($1::text[], $2::text[])',
      values: [keys.map(({ principal }) => principal), keys.map(({ key }) => key)],
    });
    return rows.map(({ claimed, stored_fingerprint, stored_answer }) => {
      if (!claimed) return { state: 'in_flight' };
      if (stored_fingerprint === null || stored_answer === null) return { state: 'claimed' };
      return { state: 'answered', fingerprint: stored_fingerprint, answer: stored_answer };
    });
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

/** Writes an answer in the transaction that writes what it tells. */
export async function insertAnswer(
  trx: Kysely<Tables>,
  answer: StoredAnswer | undefined,
): Promise<void> {
  if (answer === undefined) return;
  await trx.insertInto('idempotency_keys').values(answer).execute();
}

/** Forgets the keys that are too old to be replayed. Returns how many. */
export async function forgetOldKeys(database: Database, hours: number): Promise<number> {
  const { numDeletedRows } = await database.query
    .deleteFrom('idempotency_keys')
    .where('created_at', '<', new Date(Date.now() - hours * 3_600_000))
    .executeTakeFirst();
  return Number(numDeletedRows);
}
