/** Opens the database that the configuration names: a server run for us, or a private one that is started and stopped here. */
import type { Config } from './config.js';
import type { Storage } from './plugins/services.js';
import { openDatabase } from './store/database.js';
import { startEmbeddedPostgres } from './store/embedded-postgres/server.js';

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
    const database = await openDatabase(databaseUrl, onError);
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
