/** Opens the database. It needs little of the service, which is loaded when there is one. */
import type { Config } from './config/configuration.js';
import { startEmbeddedPostgres } from './private-postgres/server.js';
import { type Database, openDatabase } from './store/database.js';
import { SchemaTooNewError } from './store/migrations/index.js';

/** The database. */
export interface Storage {
  readonly database: Database;
  /** Whether no other instance uses it. */
  readonly isPrivate: boolean;
}

interface OpenStorage extends Storage {
  close(): Promise<void>;
}

/**
 * Opens the configured database: an existing server, or a private one that is started and stopped here. Rejects with an error
 * whose message is for the operator.
 */
export async function openStorage(
  { databaseUrl, dataDir }: Config,
  log: (line: string) => void,
): Promise<OpenStorage> {
  const onError = (error: Error): void => log(`the database is unavailable: ${error.message}`);
  if (databaseUrl !== undefined) {
    const database = await openDatabase(databaseUrl, onError).catch((error) => {
      throw explained(error);
    });
    return { database, isPrivate: false, close: () => database.close() };
  }
  const server = await startEmbeddedPostgres({ dataDir, name: 'pebslab', onLog: log });
  try {
    const database = await openDatabase(server.url, onError);
    return {
      database,
      isPrivate: true,
      close: async () => {
        await database.close();
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Without the URL, which holds a password. */
function explained(error: unknown): Error {
  if (error instanceof SchemaTooNewError) return error;
  // A name with several addresses fails with one error per address and no message of its own.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const reason = first instanceof Error ? first.message : String(first);
  return new Error(`The database of DATABASE_URL cannot be used: ${reason}`, { cause: error });
}
