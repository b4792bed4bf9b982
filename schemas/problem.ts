/** The body of every failure (RFC 9457), and the pages that explain the codes. */
import { type Static, Type } from 'typebox';
import { oneOf, prose, ref } from './common.js';
import { PROBLEM_CODES, PROBLEMS, type ProblemCode } from './problem-codes.js';

export const ProblemItemSchema = Type.Object(
  {
    pointer: Type.String({
      maxLength: 2000,
      pattern: '^(/.*)?$',
      description: 'a JSON pointer (RFC 6901) to what is wrong',
      examples: ['/cpu_model'],
    }),
    detail: prose('what is wrong with it', { examples: ['is required'] }),
    in: Type.Optional(
      oneOf(['query', 'path', 'header'], {
        description: 'what the pointer points into; the body when left out',
      }),
    ),
  },
  {
    $id: 'ProblemItem',
    additionalProperties: false,
    description: 'one thing that is wrong with a request',
    examples: [{ pointer: '/cpu_model', detail: 'is required' }],
  },
);

export const ProblemSchema = Type.Object(
  {
    type: oneOf(
      PROBLEM_CODES.map((code) => `/problems/${code}`),
      { description: 'which kind of problem; a path that answers with an explanation' },
    ),
    title: prose('the kind of problem in one line'),
    status: Type.Integer({ minimum: 400, maximum: 599, description: 'the HTTP status' }),
    detail: prose('what happened this time'),
    instance: Type.String({ maxLength: 2000, description: 'the address that was asked' }),
    errors: Type.Array(ref(ProblemItemSchema), {
      maxItems: 20,
      description: 'what is wrong, field by field; empty when no field is to blame',
    }),
    request_id: Type.String({
      pattern: '^req_[0-9a-z]{1,40}$',
      maxLength: 44,
      description: 'finds the request in the log',
    }),
    restart_cursor: Type.Optional(
      Type.String({
        maxLength: 64,
        description: 'where the events that are kept begin; only with cursor_expired',
      }),
    ),
    errno: Type.Optional(
      oneOf(['EINVAL', 'EBUSY', 'EOPNOTSUPP'], {
        description: 'the error perf_event_open(2) would return; only with perf_errno',
      }),
    ),
  },
  {
    $id: 'Problem',
    description: 'why a request was refused; other members may be added',
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
    description: 'every kind of problem this service answers with',
    examples: [{ items: [] }],
  },
);

export const ProblemParamsSchema = Type.Object(
  { code: ProblemCodeSchema },
  {
    $id: 'ProblemParams',
    additionalProperties: false,
    description: 'which problem is asked about',
    examples: [{ code: 'validation' }],
  },
);

/**
 * The refusals of a route for its `response` map, one entry a status. Codes with the same status
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

/** The refusals of a route that reads what is stored. */
export function readProblems(...codes: ProblemCode[]): Record<number, unknown> {
  return problems(...codes, 'unavailable');
}

/** The refusals of a route that creates or steps something, which may be repeated under a key. */
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

/** The same for a change of a host, which may insist on the host's version. */
export function hostChangeProblems(...codes: ProblemCode[]): Record<number, unknown> {
  return changeProblems('not_found', 'conflict', ...codes, 'precondition_failed');
}
