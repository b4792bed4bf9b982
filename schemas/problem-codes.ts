/**
 * All expected failures. A code is the last part of the problem's `type` (`/problems/<code>`); GET of that path returns the
 * explanation. Our own bugs are not listed: they throw from `assert` and reach the client as `internal`, without their text.
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
      'The body could not be read as JSON (RFC 8259). `detail` gives the line and column where parsing stopped. Nothing was changed.',
  },
  bad_request: {
    status: 400,
    title: 'The request is not well-formed HTTP',
    explanation:
      'The address, a header or the framing of the request could not be parsed, for instance a broken percent-encoding or a Content-Length that does not match the body.',
  },
  unauthorized: {
    status: 401,
    title: 'Authentication required',
    explanation:
      'The request has no access token, or an unknown one. Send it as `Authorization: Bearer <token>`; it is never read from the URL. `GET /v1/whoami` reports the name and scope of a token.',
  },
  forbidden: {
    status: 403,
    title: "The token's scope is insufficient",
    explanation:
      'The token is known, but its scope does not cover the request: `read` allows reading and the calculators, `write` also creating, changing and deleting, `admin` also administration. `detail` names the scope of the token and the scope required. Nothing was changed.',
  },
  foreign_origin: {
    status: 403,
    title: 'Changes from other sites are not allowed',
    explanation:
      'The request would change something, and its `Origin` or `Sec-Fetch-Site` header says that it comes from a web page of another site. If that page belongs to this service, add its host name to `ALLOWED_HOSTS`. Nothing was changed.',
  },
  not_found: {
    status: 404,
    title: 'No such resource',
    explanation:
      'Nothing exists at this path: the route is unknown, or the resource was never created or has been deleted.',
  },
  method_not_allowed: {
    status: 405,
    title: 'The resource does not support this method',
    explanation:
      'The path exists, but not with this method. The `Allow` header lists the supported methods.',
  },
  not_acceptable: {
    status: 406,
    title: 'The resource has no acceptable representation',
    explanation:
      'The `Accept` header excludes every media type of this resource; `detail` lists them.',
  },
  request_timeout: {
    status: 408,
    title: 'The request took too long to arrive',
    explanation:
      'Header and body must arrive within 30 seconds, the body of `POST /v1/observations` within an hour. Nothing was changed; send the request again.',
  },
  conflict: {
    status: 409,
    title: 'The action is not possible in the current state',
    explanation:
      'The request is well-formed, but the current state of the resource does not allow it, for instance a VM-exit of a vCPU that is not in the guest. Nothing was changed.',
  },
  ambiguous_name: {
    status: 409,
    title: 'A name in the address belongs to several resources',
    explanation:
      'Names may stand for ids in addresses, but more than one resource has this name. The detail lists their ids: use one of them. Nothing was changed.',
  },
  limit_reached: {
    status: 409,
    title: 'A limit of the service has been reached',
    explanation:
      'The number of such resources is limited. Delete some, then try again. Nothing was changed.',
  },
  idempotency_key_in_flight: {
    status: 409,
    title: 'A request with this key is in progress',
    explanation:
      'Another request with the same `Idempotency-Key` is still in progress. Wait for `Retry-After`, then repeat the request with its key to get the answer of the first one. This request changed nothing.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'The key was used for a different request',
    explanation:
      'The `Idempotency-Key` belongs to an earlier request with another method, path or body. Use a new key for a new request. Nothing was changed.',
  },
  cursor_expired: {
    status: 410,
    title: 'The cursor has expired',
    explanation:
      'Events after this cursor have been deleted, so some were missed. Continue from `restart_cursor`, and re-read whatever the missed events may concern.',
  },
  lease_expired: {
    status: 410,
    title: 'The lease is over',
    explanation:
      'The lease was not renewed in time, or has been completed, so its run is not for this machine any more. Stop what it does and ask for another lease. A report can still be sent to `POST /v1/leases/{lease}/complete`; it is kept, and does not count.',
  },
  precondition_failed: {
    status: 412,
    title: 'A precondition of the request failed',
    explanation:
      'A conditional header such as `If-Match` names a version of the resource that is not the current one, or `If-None-Match: *` asks for a new resource where there is one. Read the resource again, then decide.',
  },
  body_too_large: {
    status: 413,
    title: 'The body is too large',
    explanation:
      'The limit is 256 KiB (262,144 bytes), 512 KiB for `POST /v1/round-trips`, 2 MiB for `POST /v1/identify` and machines of pools, 2 GiB of uncompressed text for `POST /v1/observations`, and 16 MiB for `POST /v1/callbacks/…`.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The media type of the body is not supported',
    explanation:
      'Bodies must be `application/json` in UTF-8 without a content encoding. Set the `Content-Type` header accordingly. `POST /v1/observations` takes what a tool printed, plain or compressed by gzip; of binary files, `detail` names the command that makes text of them.',
  },
  misdirected_request: {
    status: 421,
    title: 'The service does not serve this host name',
    explanation:
      'A service without access tokens answers only to names of its own machine; otherwise a web page could pose as the service (DNS rebinding). Use `localhost` or an address, or have the name added to `ALLOWED_HOSTS`. Nothing was changed.',
  },
  value_out_of_range: {
    status: 422,
    title: 'A value is out of range or cannot be represented',
    explanation:
      'The field has the right type, but its value is not valid for this field: for instance a JSON number above 2^53-1, which would be rounded (send 64-bit values as hex strings), or a value above 2^64-1.',
  },
  rule_violated: {
    status: 422,
    title: 'The action breaks a rule of the machine',
    explanation:
      'The simulated machine cannot do this: for instance an NMI where none can land, or a counter the CPU model does not have. Nothing was changed.',
  },
  unknown_name: {
    status: 422,
    title: 'The catalogue has no entry of this name',
    explanation:
      'The request names an unknown kernel, CPU model, scenario or invariant. `detail` suggests similar names; `GET /v1/kernels`, `/v1/cpu-models`, `/v1/scenarios` and `/v1/invariants` list them all. Nothing was changed.',
  },
  unreadable_text: {
    status: 422,
    title: 'No reader can read this text',
    explanation:
      'The text is not what `format` says, none of the formats is recognised, or it can be read in more than one way. `detail` says why, and what would help. Nothing was stored.',
  },
  perf_errno: {
    status: 422,
    title: 'perf rejects the event',
    explanation:
      'Linux perf would reject this event; `errno` is the error it would return (`EINVAL`, `EBUSY` or `EOPNOTSUPP`), and `detail` gives the rule. Nothing was changed.',
  },
  too_many_requests: {
    status: 429,
    title: 'Too many requests',
    explanation:
      'Requests are arriving faster than they can be served, a token has used up its requests for this minute (see the `RateLimit` header), or an address has sent too many wrong tokens. Wait for `Retry-After`.',
  },
  header_too_large: {
    status: 431,
    title: 'The request header is too large',
    explanation: 'The request line and the header fields together exceed the limit of the server.',
  },
  internal: {
    status: 500,
    title: 'The service failed',
    explanation:
      'This is a bug in the service, not in the request. Look up `request_id` in the log for the cause.',
  },
  unavailable: {
    status: 503,
    title: 'The service is unavailable',
    explanation:
      'The service is starting or stopping, the database or queue is unavailable, or as many texts are being read as can be. Try again later.',
  },
} as const satisfies Record<string, ProblemEntry>;

export type ProblemCode = keyof typeof PROBLEMS;

export const PROBLEM_CODES = Object.keys(PROBLEMS) as readonly ProblemCode[];

export function isProblemCode(text: string): text is ProblemCode {
  return Object.hasOwn(PROBLEMS, text);
}
