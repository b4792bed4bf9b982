/**
 * The one table of expected failures. A code is the last part of the problem's `type`
 * (`/problems/<code>`), and the explanation is what that address answers with. Our own bugs are
 * not here: they throw from `assert` and reach the client as `internal`, without their text.
 */
interface ProblemEntry {
  readonly status: number;
  readonly title: string;
  readonly explanation: string;
}

export const PROBLEMS = {
  validation: {
    status: 400,
    title: 'The request does not have the documented shape',
    explanation:
      'A field is missing, unknown, given twice, of the wrong type, or outside its documented bounds. Each item of `errors` names the field by a JSON pointer (RFC 6901) into the body, or the query parameter (`in` is then `query`). Nothing was changed.',
  },
  malformed_json: {
    status: 400,
    title: 'The body is not JSON',
    explanation:
      'The body could not be read as JSON (RFC 8259). `detail` says at which line and column reading stopped. Nothing was changed.',
  },
  bad_request: {
    status: 400,
    title: 'The request is not well-formed HTTP',
    explanation:
      'The address, a header or the framing of the request could not be understood, for instance a broken percent-encoding or a Content-Length that does not match the body.',
  },
  unauthorized: {
    status: 401,
    title: 'The service does not know who asks',
    explanation:
      'The request has no access token, or one that this service does not know. Send it as `Authorization: Bearer <token>`; it is never read from the address. `GET /v1/whoami` tells what a token is good for.',
  },
  forbidden: {
    status: 403,
    title: 'The token does not reach that far',
    explanation:
      'The token is known, but its scope does not cover the request: `read` looks and calculates, `write` also makes, changes and deletes, `admin` also administers the service. `detail` names the scope of the token and the one that is needed. Nothing was changed.',
  },
  foreign_origin: {
    status: 403,
    title: 'Another site may not change anything here',
    explanation:
      'The request changes something, and by its `Origin` or `Sec-Fetch-Site` header it comes from a web page of another site. If that page belongs to this service, add the name of its address to `ALLOWED_HOSTS`. Nothing was changed.',
  },
  not_found: {
    status: 404,
    title: 'There is no such resource',
    explanation:
      'The path names nothing that exists: the route is unknown, or the resource was never made or has been deleted.',
  },
  method_not_allowed: {
    status: 405,
    title: 'The resource does not have this method',
    explanation:
      'The path is known, the method is not. The `Allow` header lists the methods it has.',
  },
  not_acceptable: {
    status: 406,
    title: 'The resource has no representation that the client accepts',
    explanation:
      'The `Accept` header excludes every media type this resource can be sent in; `detail` lists them.',
  },
  request_timeout: {
    status: 408,
    title: 'The request took too long to arrive',
    explanation:
      'The header and the body together may take 30 seconds. Nothing was changed; send the request again.',
  },
  conflict: {
    status: 409,
    title: 'The action is impossible in the current state',
    explanation:
      'The request is well-formed, but the resource is not in a state in which it can be done, for instance a VM-exit of a vCPU that is not in the guest. Nothing was changed.',
  },
  limit_reached: {
    status: 409,
    title: 'A limit of the service is reached',
    explanation:
      'The service keeps a bounded number of such resources. Delete some, then try again. Nothing was changed.',
  },
  idempotency_key_in_flight: {
    status: 409,
    title: 'A request with this key is being answered',
    explanation:
      'Another request with the same `Idempotency-Key` is still being answered. Wait as long as `Retry-After` says, then send the request again with its key: it is answered as the first one was. Nothing was changed by this request.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'The key was used for another request',
    explanation:
      'The `Idempotency-Key` belongs to an earlier request with another method, path or body. Take a new key for a new request. Nothing was changed.',
  },
  cursor_expired: {
    status: 410,
    title: 'The cursor is older than what is kept',
    explanation:
      'Events after this cursor have been deleted, so some were missed. Go on from `restart_cursor`, and read again whatever the missed events may have been about.',
  },
  precondition_failed: {
    status: 412,
    title: 'A precondition of the request is false',
    explanation:
      'A conditional header such as `If-Match` names a version of the resource that is no longer the current one. Read it again, then decide.',
  },
  body_too_large: {
    status: 413,
    title: 'The body is too large',
    explanation:
      'A body may have at most 256 KiB (262,144 bytes), that of `POST /v1/round-trips` 512 KiB.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The body has a media type that is not read here',
    explanation:
      'Bodies are `application/json` in UTF-8 without a content encoding. Set the `Content-Type` header accordingly.',
  },
  misdirected_request: {
    status: 421,
    title: 'The service does not answer to this name',
    explanation:
      'A service that asks for no tokens answers only to names of its own machine, so that no web page can pass it off as its own server. Use `localhost` or an address, or have the name added to `ALLOWED_HOSTS`. Nothing was changed.',
  },
  value_out_of_range: {
    status: 422,
    title: 'A value cannot be represented or is outside the range of its field',
    explanation:
      'The field has the right shape but its value cannot be meant, for instance a JSON number above 2^53-1 (send 64-bit values as hex strings: they would be rounded) or a value above 2^64-1.',
  },
  rule_violated: {
    status: 422,
    title: 'The action breaks a rule of the machine',
    explanation:
      'The simulated machine cannot do this: for instance an NMI where none can land, or a counter the CPU model does not have. Nothing was changed.',
  },
  unknown_name: {
    status: 422,
    title: 'The request names something that the catalogue does not have',
    explanation:
      'A kernel, CPU model, scenario or invariant is named that this service does not know. `detail` says what may have been meant and what there is; `GET /v1/kernels`, `/v1/cpu-models`, `/v1/scenarios` and `/v1/invariants` list it all. Nothing was changed.',
  },
  perf_errno: {
    status: 422,
    title: 'perf refuses the event',
    explanation:
      'The Linux perf subsystem would refuse this event; `errno` holds the error it would return (`EINVAL`, `EBUSY` or `EOPNOTSUPP`) and `detail` the rule that says so. Nothing was changed.',
  },
  too_many_requests: {
    status: 429,
    title: 'Too many requests',
    explanation:
      'The service is asked faster than it answers, a token has used up its requests of this minute (see the `RateLimit` header), or an address has sent too many wrong tokens. Wait as long as `Retry-After` says.',
  },
  header_too_large: {
    status: 431,
    title: 'The header of the request is too large',
    explanation: 'The request line and the header together exceed what the server reads.',
  },
  internal: {
    status: 500,
    title: 'The service failed',
    explanation:
      'This is a bug of the service, not of the request. `request_id` finds the cause in the log.',
  },
  unavailable: {
    status: 503,
    title: 'The service cannot answer now',
    explanation:
      'The service is starting, stopping, or something it needs is away. Try again later.',
  },
} as const satisfies Record<string, ProblemEntry>;

export type ProblemCode = keyof typeof PROBLEMS;

export const PROBLEM_CODES = Object.keys(PROBLEMS) as readonly ProblemCode[];

export function isProblemCode(text: string): text is ProblemCode {
  return Object.hasOwn(PROBLEMS, text);
}
