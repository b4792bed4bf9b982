/** Callbacks of labs, whose bodies are taken as they come. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  type CallbackQuery,
  CallbackQuerySchema,
  LavaCallbackSchema,
  LavaFormSchema,
  PullLabsCallbackSchema,
} from '../schemas/callback.js';
import { ObservationSchema } from '../schemas/observation.js';
import { changeProblems } from '../schemas/problem.js';
import { replay, sendReply } from '../src/http/read/idempotency.js';
import { TextBody, takingTexts } from '../src/http/read/text-body.js';
import type { Addressed } from '../src/service/observations/callbacks.js';
import { isLease } from '../src/service/pools/observed.js';
import { queryRefused } from '../src/service/problem-error.js';

const JSON_TYPE = 'application/json';
const FORM_TYPE = 'application/x-www-form-urlencoded';

const response = {
  202: ObservationSchema,
  ...changeProblems('bad_request', 'body_too_large', 'unsupported_media_type', 'unreadable_text'),
};

const AS_SENT =
  'The body is stored as an observation and answered within a second; sent again for the same job, it is answered as before. With `fencing_token` it is the report that ends the lease. The access token may stand alone in `Authorization`, or behind `Token` or `Bearer`, or in `X-Auth-Token`.';

export const callbackRoutes = takingTexts(async (app) => {
  const { callbacks, leases } = app.services;

  const take = async (
    request: FastifyRequest,
    reply: FastifyReply,
    format: Addressed['format'],
  ): Promise<FastifyReply> => {
    const body = new TextBody(request);
    try {
      const { job, machine, pool, lease, fencing_token: token } = request.query as CallbackQuery;
      const sender = request.principal?.name ?? '';
      const said = { format, machine, pool, lease, facts: {} };
      const about = await leases.about(said, request.principal?.pools);
      if (token !== undefined && (lease === undefined || !isLease(lease))) {
        throw queryRefused('rule_violated', 'fencing_token', 'needs the lease that it is of');
      }
      const addressed = { format, job, machine: about.machine, pool: about.pool, lease, token };
      const taken = await callbacks.take(addressed, body, sender);
      if ('before' in taken) return replay(reply, taken.before);
      return reply.send(sendReply(reply, taken.reply));
    } catch (error) {
      await body.discard(reply);
      throw error;
    }
  };

  app.post(
    '/callbacks/lava',
    {
      config: {
        bareToken: true,
        scope: 'pool',
        takes: {
          [JSON_TYPE]: { schema: LavaCallbackSchema },
          [FORM_TYPE]: { schema: LavaFormSchema },
        },
      },
      schema: {
        tags: ['observations'],
        operationId: 'takeLavaCallback',
        summary: 'Take a callback of LAVA',
        description: `The body of LAVA's \`notify: callback:\`. ${AS_SENT}`,
        querystring: CallbackQuerySchema,
        response,
      },
    },
    async (request, reply) => take(request, reply, 'lava-callback'),
  );

  app.post(
    '/callbacks/pull-labs',
    {
      config: {
        bareToken: true,
        scope: 'pool',
        takes: { [JSON_TYPE]: { schema: PullLabsCallbackSchema } },
      },
      schema: {
        tags: ['observations'],
        operationId: 'takePullLabsCallback',
        summary: 'Take a callback of PULL_LABS',
        description: `The body that a lab posts to KernelCI for a job of PULL_LABS. ${AS_SENT}`,
        querystring: CallbackQuerySchema,
        response,
      },
    },
    async (request, reply) => take(request, reply, 'pull-labs'),
  );
});
