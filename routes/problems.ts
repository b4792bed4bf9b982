/** The pages that the `type` of a problem refers to. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import {
  ProblemParamsSchema,
  type ProblemType,
  ProblemTypeSchema,
  ProblemTypesSchema,
  problems,
} from '../schemas/problem.js';
import { PROBLEM_CODES, PROBLEMS, type ProblemCode } from '../schemas/problem-codes.js';

const JSON_TYPE = 'application/json';
const TEXT_TYPE = 'text/plain';

export const problemRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/problems',
    {
      schema: {
        tags: ['operations'],
        operationId: 'listProblems',
        summary: 'List kinds of problems',
        description: 'Lists the codes of all problems that this service returns.',
        response: { 200: ProblemTypesSchema, ...problems('bad_request') },
      },
    },
    async () => ({ items: PROBLEM_CODES.map(problemType) }),
  );

  app.get(
    '/problems/:code',
    {
      config: { produces: [TEXT_TYPE, JSON_TYPE] },
      schema: {
        tags: ['operations'],
        operationId: 'getProblem',
        summary: 'Explain a kind of problem',
        description: 'Explains a code in plain text, or as JSON if the client prefers that.',
        params: ProblemParamsSchema,
        response: {
          200: {
            description: 'the explanation',
            content: {
              [TEXT_TYPE]: { schema: ProblemTypeSchema.properties.explanation },
              [JSON_TYPE]: { schema: ProblemTypeSchema },
            },
          },
          ...problems('not_found', 'not_acceptable'),
        },
      },
    },
    async (request, reply) => {
      const entry = problemType(request.params.code);
      if (request.answerType === JSON_TYPE) return reply.type(JSON_TYPE).send(entry);
      const { code, status, title, explanation } = entry;
      return reply.type(TEXT_TYPE).send(`${code} (${status})\n${title}\n\n${explanation}\n`);
    },
  );
};

function problemType(code: ProblemCode): ProblemType {
  return { code, type: `/problems/${code}`, ...PROBLEMS[code] };
}
