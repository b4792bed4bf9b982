/** Opens the database that the configuration names: a server run for us, or a private one that is started and stopped here. */
import type { Config } from './config.js';
import type { Storage } from './plugins/services.js';
import { openDatabase } from './store/database.js';
import { startEmbeddedPostgres } from './store/embedded-postgres/server.js';
import { SchemaTooNewError } from './store/migrations/index.js';

export interface OpenStorage extends Storage {
  close(): Promise<void>;
}

/** Rejects with an error whose message is for the operator. */
export async function openStorage(
  { databaseUrl, dataDir }: Config,
  log: (line: string) => void,
): Promise<OpenStorage> {
  const onError = (error: Error): void => log(`the database is away: ${error.message}`);
  if (databaseUrl !== undefined) {
    const database = await openDatabase(databaseUrl, onError).catch((error) => {
      throw explained(error);
    });
    return { database, isPrivate: false, close: () => database.close() };
  }
  const server = await startEmbeddedPostgres({ dataDir, onLog: log });
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

/** Without the address, which holds a password. */
function explained(error: unknown): Error {
  if (error instanceof SchemaTooNewError) return error;
  // A name with several addresses fails with an error for each, and no message of its own.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const reason = first instanceof Error ? first.message : String(first);
  return new Error(`The database of DATABASE_URL cannot be used: ${reason}`, { cause: error });
}
