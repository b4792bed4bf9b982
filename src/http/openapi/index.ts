/** The API description: a document for programs, and pages for people. */
import type { FastifyInstance } from 'fastify';
import { useDocument } from './document.js';
import { usePages } from './pages.js';

/** Register before the first route, because the document is generated from the routes. */
export async function describe(app: FastifyInstance, hasAllRoutes: boolean): Promise<void> {
  await useDocument(app, hasAllRoutes);
  await usePages(app);
}
