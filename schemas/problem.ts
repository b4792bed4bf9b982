/** The body of every failure (RFC 9457), and the pages that explain the codes. */

import { type Static, Type } from 'typebox';
import { ERRNOS } from '../src/pmu/vocabulary.js';
import { oneOf, prose, ref } from './common.js';
import { PROBLEM_CODES, PROBLEMS, type ProblemCode } from './problem-codes.js';

export const ProblemItemSchema = Type.Object(
  {
    pointer: Type.String({
      maxLength: 2000,
      pattern: '^(/.*)?$',
      description: 'a JSON pointer (RFC 6901) to the field',
      examples: ['/cpu_model'],
    }),
    detail: prose('what is wrong with it', { examples: ['is required'] }),
    in: Type.Optional(
      oneOf(['query', 'path', 'header'], {
        description: 'where the field is; the body if absent',
      }),
    ),
  },
  {
    $id: 'ProblemItem',
    additionalProperties: false,
    description: 'one error in a request',
    examples: [{ pointer: '/cpu_model', detail: 'is required' }],
  },
);

export const ProblemSchema = Type.Object(
  {
    type: oneOf(
      PROBLEM_CODES.map((code) => `/problems/${code}`),
      { description: 'the kind of problem; GET of this path returns an explanation' },
    ),
    title: prose('the kind of problem in one line'),
    status: Type.Integer({ minimum: 400, maximum: 599, description: 'the HTTP status' }),
    detail: prose('what happened this time'),
    instance: Type.String({ maxLength: 2000, description: 'the URL of the request' }),
    errors: Type.Array(ref(ProblemItemSchema), {
      maxItems: 20,
      description: 'errors by field; empty if no field is at fault',
    }),
    request_id: Type.String({
      pattern: '^req_[0-9a-z]{1,40}$',
      maxLength: 44,
      description: 'identifies the request in the log',
    }),
    restart_cursor: Type.Optional(
      Type.String({
        maxLength: 64,
        description: 'the oldest place in the stored events; only with cursor_expired',
      }),
    ),
    errno: Type.Optional(
      oneOf(ERRNOS, {
        description: 'the error perf_event_open(2) would return; only with perf_errno',
      }),
    ),
  },
  {
    $id: 'Problem',
    description: 'why a request failed; more members may be added',
    examples: [
      {
        type: '/problems/validation',
        title: PROBLEMS.validation.title,
        status: 400,
        detail: '/cpu_modle: unknown field, did you mean "cpu_model"?',
        instance: '/v1/hosts',
        errors: [{ pointer: '/cpu_modle', detail: 'unknown field, did you mean "cpu_model"?' }],
        request_id: 'req_8f14e45fce000001',
      },
    ],
  },
);
export type Problem = Static<typeof ProblemSchema>;

const ProblemCodeSchema = oneOf(PROBLEM_CODES, { description: 'the code of a problem' });

export const ProblemTypeSchema = Type.Object(
  {
    code: ProblemCodeSchema,
    type: Type.String({ maxLength: 100, description: 'the type member of such problems' }),
    status: Type.Integer({ minimum: 400, maximum: 599, description: 'the HTTP status' }),
    title: prose('the kind of problem in one line'),
    explanation: prose('what it means and what to do'),
  },
  {
    $id: 'ProblemType',
    additionalProperties: false,
    description: 'a kind of problem and its explanation',
    examples: [{ code: 'not_found', type: '/problems/not_found', ...PROBLEMS.not_found }],
  },
);
export type ProblemType = Static<typeof ProblemTypeSchema>;

export const ProblemTypesSchema = Type.Object(
  { items: Type.Array(ref(ProblemTypeSchema), { maxItems: 100, description: 'all codes' }) },
  {
    $id: 'ProblemTypes',
    additionalProperties: false,
    description: 'every kind of problem this service returns',
    examples: [{ items: [] }],
  },
);

export const ProblemParamsSchema = Type.Object(
  { code: ProblemCodeSchema },
  {
    $id: 'ProblemParams',
    additionalProperties: false,
    description: 'the problem to explain',
    examples: [{ code: 'validation' }],
  },
);

/**
 * The problems of a route for its `response` map, one entry per status. Codes with the same status
 * share an entry, whose description names them all.
 */
export function problems(...codes: ProblemCode[]): Record<number, unknown> {
  const entries: Record<number, { description: string; content: object }> = {};
  for (const code of codes) {
    const { status, title } = PROBLEMS[code];
    const said = entries[status]?.description;
    entries[status] = {
      description: said === undefined ? `${code}: ${title}` : `${said}; ${code}: ${title}`,
      content: { 'application/problem+json': { schema: ref(ProblemSchema) } },
    };
  }
  return entries;
}

/** The problems of a route that reads the database. */
export function readProblems(...codes: ProblemCode[]): Record<number, unknown> {
  return problems(...codes, 'unavailable');
}

/** The problems of a route that creates or steps something; it accepts an `Idempotency-Key`. */
export function changeProblems(...codes: ProblemCode[]): Record<number, unknown> {
  return problems(
    'validation',
    ...codes,
    'too_many_requests',
    'idempotency_key_in_flight',
    'idempotency_key_reused',
    'unavailable',
  );
}

/** The problems of a route that changes a host; it also accepts `If-Match`. */
export function hostChangeProblems(...codes: ProblemCode[]): Record<number, unknown> {
  return changeProblems('not_found', 'ambiguous_name', 'conflict', ...codes, 'precondition_failed');
}
