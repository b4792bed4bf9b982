/** The service describes itself: as a document for programs, and as pages for people. */
import type { FastifyInstance } from 'fastify';
import { useDocument } from './document.js';
import { usePages } from './pages.js';

/** Before the first route is added, because the document is made from them. */
export async function describe(app: FastifyInstance): Promise<void> {
  await useDocument(app);
  await usePages(app);
}
