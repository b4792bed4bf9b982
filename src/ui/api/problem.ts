/** Why a request failed, as the service says it (RFC 9457), or that it said nothing. */
import type { components } from './schema.js';

type ProblemBody = components['schemas']['Problem'];

export class Problem extends Error {
  readonly status: number;
  readonly title: string;
  /** What is wrong with which field, by JSON pointer. */
  readonly fields: ProblemBody['errors'];
  readonly requestId: string | undefined;
  /** When the service asks to come back, if it does. */
  readonly retrySeconds: number | undefined;

  constructor(body: Partial<ProblemBody>, retrySeconds?: number) {
    super(body.detail ?? 'The answer was not one of the service.');
    this.status = body.status ?? 0;
    this.title = body.title ?? 'The request failed';
    this.fields = body.errors ?? [];
    this.requestId = body.request_id;
    this.retrySeconds = retrySeconds;
  }
}

/** For status 0: the request has not reached the service. */
export function unreachable(): Problem {
  const detail = 'Nothing answers at this address. What is on screen is from before.';
  return new Problem({ status: 0, title: 'The service does not answer', detail });
}

export async function problemOf(response: Response): Promise<Problem> {
  const retry = retryAfter(response);
  const plain = {
    status: response.status,
    title: response.statusText || `HTTP ${response.status}`,
  };
  try {
    return new Problem({ ...plain, ...((await response.json()) as ProblemBody) }, retry);
  } catch {
    return new Problem(plain, retry);
  }
}

export function retryAfter({ headers }: Response): number | undefined {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return seconds >= 0 ? seconds : undefined;
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem({ title: 'The page failed', detail: String(error) });
}
