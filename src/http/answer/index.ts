/** The last stage: turns what a route returns or throws into an answer. */
import type { FastifyInstance } from 'fastify';
import { useEtag } from './etag.js';
import { useLayout } from './layout.js';
import { useOutageLog } from './outage-log.js';
import { useProblems } from './problems.js';
import { recordRoutes } from './route-table.js';
import { useSerialisation } from './serialisation.js';
import { useStreams } from './streams.js';

/** Register before the first route, because it sees every route added later. */
export async function answer(app: FastifyInstance): Promise<void> {
  useSerialisation(app);
  // The tag is that of the bytes as they are sent.
  useLayout(app);
  useEtag(app);
  useOutageLog(app);
  useProblems(app, recordRoutes(app));
  await useStreams(app);
}
