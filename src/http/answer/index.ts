/** The last stage: what a route returns or throws becomes an answer. */
import type { FastifyInstance } from 'fastify';
import { useEtag } from './etag.js';
import { useOutageLog } from './outage-log.js';
import { useProblems } from './problems.js';
import { recordRoutes } from './route-table.js';
import { useSerialisation } from './serialisation.js';
import { useStreams } from './streams.js';

/** Before the first route is added, because it looks at all of them. */
export async function answer(app: FastifyInstance): Promise<void> {
  useSerialisation(app);
  useEtag(app);
  useOutageLog(app);
  useProblems(app, recordRoutes(app));
  await useStreams(app);
}
