/** The upload of a text of any length. */
import { ObservationPreviewSchema, ObservationSchema } from '../schemas/observation.js';
import {
  FACT_NAMES,
  type ObservationCreateQuery,
  ObservationCreateQuerySchema,
  ObservationJsonSchema,
  ObservationTextSchema,
} from '../schemas/observation-request.js';
import { changeProblems } from '../schemas/problem.js';
import { addressed, replay, sendReply } from '../src/http/read/idempotency.js';
import { preferredWaitMillis } from '../src/http/read/prefer.js';
import { TextBody, takingTexts } from '../src/http/read/text-body.js';
import type { Answer, Ticket } from '../src/service/idempotency.js';
import { uploadTerms } from '../src/service/observations/observations.js';
import type { About } from '../src/service/observations/views.js';

const takes = {
  'text/plain': { schema: ObservationTextSchema },
  'application/octet-stream': { schema: ObservationTextSchema },
  'application/gzip': { schema: ObservationTextSchema },
  'application/json': { schema: ObservationJsonSchema },
  'application/xml': { schema: ObservationTextSchema },
  'application/yaml': { schema: ObservationTextSchema },
} as const;

export const uploadRoute = takingTexts(async (app) => {
  const { leases, observations } = app.services;

  app.post(
    '/observations',
    {
      config: { idempotent: true, waits: true, takes, scope: 'pool' },
      schema: {
        tags: ['observations'],
        operationId: 'createObservation',
        summary: 'Send what a tool printed',
        description:
          'Reads the text while it arrives and says what it shows. Answers 201 when it is read; 202 where that takes more than a second after the end of the body, or more than N with `Prefer: wait=N`. With `dry_run` it answers 200 and stores nothing. What the text does not say of the machine may be said by query. With a `lease` of this service it belongs to the run of that lease.',
        querystring: ObservationCreateQuerySchema,
        response: {
          200: ObservationPreviewSchema,
          201: ObservationSchema,
          202: ObservationSchema,
          ...changeProblems(
            'bad_request',
            'body_too_large',
            'unsupported_media_type',
            'unreadable_text',
            'unknown_name',
            'rule_violated',
          ),
        },
      },
    },
    async (request, reply) => {
      const { query, openKey, headers } = request;
      const body = new TextBody(request);
      try {
        const seal = () => openKey?.seal(addressed(request, body.digest()));
        if (openKey?.isAnswered === true) {
          await body.skip();
          return replay(reply, seal() as Answer);
        }
        const said = aboutOf(query as unknown as ObservationCreateQuery);
        const about = await leases.about(said, request.principal?.pools);
        if (query.dry_run) return reply.send(await observations.preview(about, body));
        const ticketOf = () => seal() as Ticket | undefined;
        const terms = uploadTerms(preferredWaitMillis(headers.prefer));
        return sendReply(reply, await observations.create(about, body, ticketOf, terms));
      } catch (error) {
        await body.discard(reply);
        throw error;
      }
    },
  );
});

function aboutOf(query: ObservationCreateQuery): About {
  const { format, machine, pool, lease, complete } = query;
  const facts: Record<string, string> = {};
  for (const name of FACT_NAMES) {
    const value = query[name];
    if (value !== undefined) facts[name] = value;
  }
  return { format, machine, pool, lease, complete, facts };
}
