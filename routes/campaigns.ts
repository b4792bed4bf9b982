/** Campaigns: random walks over a matrix of kernels, CPU models and scenarios, and their results in several formats. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import {
  CampaignPageSchema,
  CampaignParamsSchema,
  CampaignQuerySchema,
  CampaignRequestSchema,
  CampaignResultsQuerySchema,
  CampaignResultsSchema,
  CampaignSchema,
  CampaignTextSchema,
} from '../schemas/campaign.js';
import { NothingSchema } from '../schemas/common.js';
import { changeProblems, readProblems } from '../schemas/problem.js';
import { ReportQuerySchema, ReportTextSchema } from '../schemas/report.js';
import { preferredWaitMillis } from '../src/http/read/prefer.js';
import { campaignCsv } from '../src/service/campaigns/formats/csv.js';
import { REPORT_TYPES, reportFile } from '../src/service/reports/formats.js';
import { answerOf, reportAsked, reportFormats, sendFile, sendReported } from './exports.js';
import { sendStarted, sendWorks } from './long-work.js';

const JSON_TYPE = 'application/json';
const CSV_TYPE = 'text/csv';
const TYPES = { json: JSON_TYPE, csv: CSV_TYPE, ...REPORT_TYPES } as const;

export const campaignRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const { campaigns } = app.services;

  app.post(
    '/campaigns',
    {
      config: { idempotent: true, waits: true },
      schema: {
        tags: ['campaigns'],
        operationId: 'runCampaign',
        summary: 'Run a campaign',
        description:
          'Takes seeded random walks for every combination of kernel, CPU model and scenario; the same request gives the same results. Answers 202 at once; with `Prefer: wait=N` it waits up to N seconds (at most 60) and answers 200 if the campaign has ended.',
        body: CampaignRequestSchema,
        response: {
          200: CampaignSchema,
          202: CampaignSchema,
          ...changeProblems('rule_violated', 'unknown_name'),
        },
      },
    },
    async (request, reply) => {
      const owner = request.principal?.name ?? null;
      const created = await campaigns.create(request.body, owner, request.ticket ?? undefined);
      return sendStarted(request, reply, campaigns, created);
    },
  );

  app.get(
    '/campaigns',
    {
      schema: {
        tags: ['campaigns'],
        operationId: 'listCampaigns',
        summary: 'List campaigns',
        description:
          'Lists the stored campaigns, newest first; a page has at most 100, even if `limit` is higher. While pages are read, new ones do not move the others.',
        querystring: CampaignQuerySchema,
        response: { 200: CampaignPageSchema, ...readProblems('validation', 'unknown_name') },
      },
    },
    async ({ query }, reply) => sendWorks(reply, query, campaigns),
  );

  app.get(
    '/campaigns/:campaign',
    {
      config: { waits: true, formats: reportFormats },
      schema: {
        tags: ['campaigns'],
        operationId: 'getCampaign',
        summary: 'Get a campaign',
        description:
          'Its state and progress; `Prefer: wait=N` waits for the end. As KTAP, JUnit XML or KCIDB each cell is a test, which fails where a walk violated an invariant; its duration is how long threads walked in it.',
        params: CampaignParamsSchema,
        querystring: ReportQuerySchema,
        response: {
          200: answerOf(CampaignSchema, 'the campaign', REPORT_TYPES, ReportTextSchema),
          ...readProblems('validation', 'not_found', 'not_acceptable'),
        },
      },
    },
    async ({ params, headers }, reply) => {
      const campaign = await campaigns.wait(params.campaign, preferredWaitMillis(headers.prefer));
      return sendReported(reply, campaign, () => campaigns.report(params.campaign));
    },
  );

  app.delete(
    '/campaigns/:campaign',
    {
      schema: {
        tags: ['campaigns'],
        operationId: 'deleteCampaign',
        summary: 'Delete a campaign',
        description: 'Cancels it if it is under way, and deletes it with all that it found.',
        params: CampaignParamsSchema,
        response: { 204: NothingSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }, reply) => {
      await campaigns.delete(params.campaign);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/campaigns/:campaign/cancel',
    {
      schema: {
        tags: ['campaigns'],
        operationId: 'cancelCampaign',
        summary: 'Cancel a campaign',
        description: 'Ends it with the walks taken so far; a campaign that has ended is unchanged.',
        params: CampaignParamsSchema,
        response: { 200: CampaignSchema, ...readProblems('not_found') },
      },
    },
    async ({ params }) => campaigns.cancel(params.campaign),
  );

  app.get(
    '/campaigns/:campaign/results',
    {
      config: { formats: TYPES },
      schema: {
        tags: ['campaigns'],
        operationId: 'getCampaignResults',
        summary: 'Get the results of a campaign',
        description:
          'Violation rates by cell and invariant with 95 % confidence intervals, and the first violating walk of each as a script: as JSON, CSV, JUnit XML, KTAP or KCIDB. While the campaign runs, they cover the walks taken so far.',
        params: CampaignParamsSchema,
        querystring: CampaignResultsQuerySchema,
        response: {
          200: {
            description: 'the results',
            content: {
              [JSON_TYPE]: { schema: CampaignResultsSchema },
              [CSV_TYPE]: { schema: CampaignTextSchema },
              [REPORT_TYPES.junit]: { schema: CampaignTextSchema },
              [REPORT_TYPES.ktap]: { schema: CampaignTextSchema },
              [REPORT_TYPES.kcidb]: { schema: CampaignTextSchema },
            },
          },
          ...readProblems('validation', 'not_found', 'not_acceptable'),
        },
      },
    },
    async ({ params, answerType }, reply) => {
      const asked = reportAsked(reply);
      if (asked !== null) {
        return sendFile(reply, reportFile(asked, await campaigns.report(params.campaign)));
      }
      const results = await campaigns.results(params.campaign);
      return reply.type(answerType).send(answerType === CSV_TYPE ? campaignCsv(results) : results);
    },
  );
};
