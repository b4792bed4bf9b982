/**
 * Which host names this service answers to, and which web pages may make changes.
 *
 * A site can point its own name at this machine (DNS rebinding). The browser then sends that name as
 * `Host` and takes the service for the site's own server. So a service without tokens answers only to
 * names of this machine. Also, any page can make a browser send a request without a body or preflight
 * to any address, so requests that change something must not come from another site's page. Clients
 * other than browsers send neither `Origin` nor `Sec-Fetch-Site`.
 */
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Config, isLoopback } from '../../config/configuration.js';
import { hostName, hostOfAuthority } from '../../config/host-name.js';
import { ProblemError } from '../../service/problem-error.js';

/** On every answer: browsers must not guess another type, or embed it in a page of another site. */
export const ANSWER_HEADERS = {
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
} as const;

export function useOrigin(app: FastifyInstance): void {
  const { config } = app;
  const isAnonymous = config.tokens.length === 0;
  const isOurs = ourNames(config);
  app.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
    reply.headers(ANSWER_HEADERS);
    const host = hostField(request);
    if (isAnonymous) {
      // Behind a trusted proxy, also check the forwarded name. A page can set that field, so it never replaces `Host`.
      for (const asked of new Set([host, request.host, targetAuthority(request)])) {
        if (asked !== undefined && asked !== '' && !isOurs(asked)) throw misdirected(asked);
      }
    }
    if (!isSafe(request.method)) refuseForeignPage(request, config.allowedHosts);
  });
}

/** RFC 9112, 3.2: an HTTP/1.1 request has exactly one; with two, implementations disagree which one counts. */
function hostField({ raw }: FastifyRequest): string | undefined {
  let fields = 0;
  for (let at = 0; at < raw.rawHeaders.length; at += 2) {
    if (raw.rawHeaders[at]?.toLowerCase() === 'host') fields += 1;
  }
  if (fields > 1) {
    throw new ProblemError('bad_request', `The request has ${fields} Host fields instead of one.`);
  }
  const { host } = raw.headers;
  if (host === undefined && raw.httpVersionMinor > 0) {
    throw new ProblemError('bad_request', 'The request has no Host field.');
  }
  return host;
}

/** A request line may hold an absolute URL, as for a proxy; it then overrides `Host`. */
function targetAuthority({ raw }: FastifyRequest): string | undefined {
  return /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(raw.url ?? '')?.[1];
}

/** Whether an authority names this machine or is in ALLOWED_HOSTS. */
function ourNames({ host, allowedHosts }: Config): (authority: string) => boolean {
  const listens = hostName(host) ?? '';
  const names = new Set(['localhost', listens, ...allowedHosts]);
  const isPublic = !isLoopback(host);
  if (isPublic) names.add(hostName(hostname()) ?? '');
  names.delete('');
  return (authority) => {
    const name = hostOfAuthority(authority);
    if (name === undefined) return false;
    if (names.has(name) || isLoopback(name)) return true;
    // An address cannot be rebound, and a container cannot know which addresses lead to it.
    return isPublic && isIP(name) !== 0;
  };
}

function misdirected(authority: string): ProblemError {
  const shown = JSON.stringify(authority.slice(0, 100));
  return new ProblemError(
    'misdirected_request',
    `${shown} is not a name of this machine. If it should be, add it to ALLOWED_HOSTS; a service with tokens answers to any name.`,
  );
}

function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}

function refuseForeignPage(request: FastifyRequest, allowedHosts: readonly string[]): void {
  const site = request.headers['sec-fetch-site'];
  const { origin } = request.headers;
  // The browser compared the page's origin with the URL it requested, which a proxy may have rewritten.
  if (site === 'same-origin' || site === 'none') return;
  if (site === undefined && origin === undefined) return;
  const authority = /^https?:\/\/([^/]+)$/.exec(origin ?? '')?.[1];
  if (authority !== undefined) {
    if (site === undefined && isSameAuthority(authority, request.host)) return;
    if (allowedHosts.includes(hostOfAuthority(authority) ?? '')) return;
  }
  const page = origin === undefined ? 'another site' : JSON.stringify(origin.slice(0, 100));
  throw new ProblemError(
    'foreign_origin',
    `A web page of ${page} may not send this. If that is the address of this service, add its name to ALLOWED_HOSTS.`,
  );
}

/** The default port may be given explicitly. */
function isSameAuthority(page: string, host: string): boolean {
  const plain = (authority: string): string => authority.toLowerCase().replace(/:(80|443)$/, '');
  return plain(page) === plain(host);
}
