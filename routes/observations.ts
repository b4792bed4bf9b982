/** Observations: what tools print on real machines, and what can be read in it. */
import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { NothingSchema, PageQuerySchema } from '../schemas/common.js';
import {
  ObservationPageSchema,
  ObservationParamsSchema,
  ObservationQuerySchema,
  ObservationSchema,
  ObservedRecordPageSchema,
} from '../schemas/observation.js';
import { ObservationTextSchema } from '../schemas/observation-request.js';
import { readProblems } from '../schemas/problem.js';
import {
  KcidbExportQuerySchema,
  KcidbPageSchema,
  ReportQuerySchema,
  ReportTextSchema,
} from '../schemas/report.js';
import { takesGzip } from '../src/http/answer/encoding.js';
import { linkNext, sendRows, sendSome } from '../src/http/answer/paging.js';
import { preferredWaitMillis } from '../src/http/read/prefer.js';
import { REPORT_TYPES } from '../src/service/reports/formats.js';
import { observationReport } from '../src/service/reports/of-observation.js';
import { answerOf, reportFormats, sendReported } from './exports.js';
import { uploadRoute } from './observation-upload.js';

const TEXT_TYPE = 'text/plain';
/** More on a page would hold the event loop for too long. */
const RECORDS_MAX = 500;

const tags = ['observations'];

export const observationRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { observations, kcidbExport } = app.services;

  await uploadRoute(app, {});

  app.get(
    '/observations',
    {
      schema: {
        tags,
        operationId: 'listObservations',
        summary: 'List observations',
        description:
          'Lists the stored observations, newest first, without what was read in them line by line. The oldest are deleted where there are more than OBSERVATIONS_KEPT or their texts take more than OBSERVATION_MEGABYTES, and after RETENTION_HOURS.',
        querystring: ObservationQuerySchema,
        response: { 200: ObservationPageSchema, ...readProblems('validation') },
      },
    },
    async ({ query }, reply) =>
      sendRows(reply, query, (before, limit) => observations.list(query, before, limit), {
        isNewestFirst: true,
      }),
  );

  app.get(
    '/observations/:observation',
    {
      config: { waits: true, formats: reportFormats },
      schema: {
        tags,
        operationId: 'getObservation',
        summary: 'Get an observation',
        description:
          'What was read in the text. While it is being read, `Prefer: wait=N` waits for the end. As KTAP, JUnit XML or KCIDB the register on each CPU is a test, and so is each test that the text has; durations are what the times of its records span, or the time that reading took (`time_of`).',
        params: ObservationParamsSchema,
        querystring: ReportQuerySchema,
        response: {
          200: answerOf(ObservationSchema, 'the observation', REPORT_TYPES, ReportTextSchema),
          ...readProblems('validation', 'not_found', 'conflict', 'not_acceptable'),
        },
      },
    },
    async ({ params, headers }, reply) => {
      const observation = await observations.wait(
        params.observation,
        preferredWaitMillis(headers.prefer),
      );
      return sendReported(reply, observation, () => observationReport(observation));
    },
  );

  app.get(
    '/exports/kcidb',
    {
      schema: {
        tags,
        operationId: 'exportKcidb',
        summary: 'Export observations to KCIDB',
        description:
          'Finished observations as documents of KCIDB 5.3, one for each, in the order in which they ended, after a cursor or from the first on. Each can be submitted as it is, and again: ids stay the same. `next_cursor` also continues where there is nothing more yet. A page ends early behind 1,000 tests.',
        querystring: KcidbExportQuerySchema,
        response: { 200: KcidbPageSchema, ...readProblems('validation') },
      },
    },
    async ({ query }, reply) => {
      const page = await kcidbExport.page(query.after, query.limit);
      if (page.has_more) linkNext(reply, { after: page.next_cursor });
      return page;
    },
  );

  app.delete(
    '/observations/:observation',
    {
      schema: {
        tags,
        operationId: 'deleteObservation',
        summary: 'Delete an observation',
        description: 'Deletes it with its text and its explanations; those that are under way end.',
        params: ObservationParamsSchema,
        response: { 204: NothingSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }, reply) => {
      await observations.delete(params.observation);
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/observations/:observation/raw',
    {
      config: { produces: [TEXT_TYPE] },
      schema: {
        tags,
        operationId: 'getObservationText',
        summary: 'Get the text of an observation',
        description:
          'The text, byte by byte as it was sent; compressed for clients that take gzip.',
        params: ObservationParamsSchema,
        response: {
          200: {
            description: 'the text',
            content: { [TEXT_TYPE]: { schema: ObservationTextSchema } },
          },
          ...readProblems('not_found', 'conflict', 'not_acceptable'),
        },
      },
    },
    async (request, reply) => {
      const { observation } = request.params;
      const isPacked = takesGzip(request);
      const text = await observations.text(observation, isPacked);
      return sendText(reply, `${observation}.txt`, text, isPacked);
    },
  );

  app.get(
    '/observations/:observation/records',
    {
      schema: {
        tags,
        operationId: 'listObservedRecords',
        summary: 'List the records of an observation',
        description:
          'What the lines of the text say, in their order. A page has at most 500, and may have fewer than `limit` where they are far apart.',
        params: ObservationParamsSchema,
        querystring: PageQuerySchema,
        response: {
          200: ObservedRecordPageSchema,
          ...readProblems('validation', 'not_found', 'conflict'),
        },
      },
    },
    async ({ params, query }, reply) =>
      sendSome(reply, query, (after, limit) =>
        observations.records(params.observation, after, Math.min(limit, RECORDS_MAX)),
      ),
  );
};

function sendText(
  reply: FastifyReply,
  name: string,
  text: AsyncIterable<Uint8Array>,
  isPacked: boolean,
): FastifyReply {
  if (isPacked) reply.header('content-encoding', 'gzip');
  return reply
    .type(`${TEXT_TYPE}; charset=utf-8`)
    .header('vary', 'accept-encoding')
    .header('content-disposition', `inline; filename="${name}"`)
    .send(Readable.from(text, { objectMode: false }));
}
