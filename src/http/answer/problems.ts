/** Every failure leaves through here as `application/problem+json` (RFC 9457). */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { PROBLEMS, type ProblemCode } from '../../../schemas/problem-codes.js';
import { withoutTokens } from '../../config/access-tokens.js';
import { databaseProblem } from '../../service/database-problems.js';
import { ProblemError } from '../../service/problem-error.js';
import { ANSWER_HEADERS } from '../admit/origin.js';
import type { RouteTable } from './route-table.js';

const PROBLEM_MEDIA_TYPE = 'application/problem+json';

export function useProblems(app: FastifyInstance, routes: RouteTable): void {
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply));
  app.setNotFoundHandler((request, reply) => sendProblem(missing(request, routes), request, reply));
}

/** Also passed to Fastify as `frameworkErrors`, for requests that never reach a route. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply) {
  const { problem, outage } = databaseProblem(error) ?? { problem: toProblem(error) };
  if (outage !== undefined) request.server.outageLog.add(outage);
  else if (problem.status >= 500) request.log.error({ err: error }, 'the request failed');
  const body = {
    ...problemBody(problem.code, problem.message),
    instance: withoutTokens(request.url.slice(0, 2000)),
    errors: problem.errors,
    request_id: request.id,
    ...problem.extra,
  };
  return reply
    .code(problem.status)
    .headers({
      // A request that never reaches a route has not run the hooks either.
      ...ANSWER_HEADERS,
      ...problem.headers,
      'cache-control': 'no-store',
      'x-request-id': request.id,
    })
    .type(PROBLEM_MEDIA_TYPE)
    .send(JSON.stringify(body));
}

function problemBody(code: ProblemCode, detail: string) {
  const { status, title } = PROBLEMS[code];
  return { type: `/problems/${code}`, title, status, detail };
}

const FRAMEWORK_CODES: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_NOT_FOUND: 'not_found',
  // The router rejects only parameters longer than any id.
  FST_ERR_MAX_PARAM_LENGTH: 'not_found',
};

const CODES_BY_STATUS: Readonly<Record<number, ProblemCode>> = {
  404: 'not_found',
  413: 'body_too_large',
  415: 'unsupported_media_type',
  429: 'too_many_requests',
  503: 'unavailable',
};

/** Errors of Fastify and its plugins are mapped by code and status; the rest are our own bugs. */
function toProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  const { code = '', statusCode = 500 } = (error ?? {}) as Partial<FastifyError>;
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return unreadBody();
  const known = FRAMEWORK_CODES[code] ?? CODES_BY_STATUS[statusCode];
  if (known !== undefined) return new ProblemError(known, firstSentence(known));
  if (statusCode >= 400 && statusCode < 500 && error instanceof Error) {
    return new ProblemError('bad_request', error.message.slice(0, 500));
  }
  return new ProblemError('internal', 'The service failed; see the log for the cause.');
}

/** Mostly from curl, whose `-d` claims that the body is a form. */
function unreadBody(): ProblemError {
  return new ProblemError(
    'unsupported_media_type',
    'Only JSON bodies are supported, but the Content-Type is another. Add the header `Content-Type: application/json` (with curl: -H "content-type: application/json", or --json instead of -d).',
    [{ pointer: '/content-type', detail: 'must be application/json', in: 'header' }],
  );
}

function firstSentence(code: ProblemCode): string {
  const { explanation } = PROBLEMS[code];
  return explanation.slice(0, explanation.search(/\.( |$)/) + 1);
}

function missing(request: FastifyRequest, routes: RouteTable): ProblemError {
  const path = request.url.split('?', 1)[0] ?? '';
  const allowed = routes.methodsOf(path);
  if (allowed.length === 0 || allowed.includes(request.method)) {
    return new ProblemError('not_found', `Nothing exists at ${path.slice(0, 200)}.`);
  }
  const allow = allowed.join(', ');
  const detail = `This resource does not support ${request.method}; it supports ${allow}.`;
  return new ProblemError('method_not_allowed', detail, [], {}, { allow });
}

const SOCKET_CODES: Readonly<Record<string, ProblemCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'header_too_large',
};

/** Malformed or incomplete HTTP never becomes a request: the answer is written to the socket by hand. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = SOCKET_CODES[error.code ?? ''] ?? 'bad_request';
  const { status } = PROBLEMS[code];
  const problem = { ...problemBody(code, firstSentence(code)), errors: [] };
  const body = `${JSON.stringify(problem)}\n`;
  const header = {
    ...ANSWER_HEADERS,
    'content-type': PROBLEM_MEDIA_TYPE,
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  };
  const lines = Object.entries(header).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
}
