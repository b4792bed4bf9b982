/** The API as typed functions: the types are those of openapi.yaml, and nothing else is known of the service. */
import { signal } from '@preact/signals';
import { type Problem, problemOf, retryAfter, unreachable } from './problem.js';
import type { components, paths } from './schema.js';
import { askForToken, authorization } from './token.js';

/** What the service sends, by the name of its schema. */
export type Api = components['schemas'];

type Verb = 'get' | 'post' | 'delete';
type PathWith<V extends Verb> = {
  [P in keyof paths]: paths[P] extends Record<V, { responses: unknown }> ? P : never;
}[keyof paths];

type Json<R> = R extends { content: { 'application/json': infer T } } ? T : undefined;
type Done = 200 | 201 | 202 | 204;
type Answer<O> = O extends { responses: infer R }
  ? { [S in keyof R & Done]: Json<R[S]> }[keyof R & Done]
  : never;

type InPath<O> = O extends { parameters: { path: infer T extends object } } ? { path: T } : object;
type InQuery<O> = O extends { parameters: { query?: infer T } } ? { query?: T } : object;
type InBody<O> = O extends { requestBody: { content: { 'application/json': infer T } } }
  ? { body: T }
  : O extends { requestBody?: { content: { 'application/json': infer T } } }
    ? { body?: T }
    : object;
type Asked<O> = InPath<O> & InQuery<O> & InBody<O> & Extra;

interface Extra {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

interface Request extends Extra {
  readonly path?: object;
  readonly query?: object | undefined;
  /** As JSON; files are sent as they are, with the content type that they say. */
  readonly body?: unknown;
}

export function get<P extends PathWith<'get'>>(path: P, asked: Asked<paths[P]['get']>) {
  return json<Answer<paths[P]['get']>>('GET', path, asked);
}

export function post<P extends PathWith<'post'>>(path: P, asked: Asked<paths[P]['post']>) {
  return json<Answer<paths[P]['post']>>('POST', path, asked);
}

export function remove<P extends PathWith<'delete'>>(path: P, asked: Asked<paths[P]['delete']>) {
  return json<Answer<paths[P]['delete']>>('DELETE', path, asked);
}

/** What a route also gives as text: a story, a diagram, a file. */
export async function text<P extends PathWith<'get'>>(path: P, asked: Asked<paths[P]['get']>) {
  return (await send('GET', addressOf(path, asked), asked, '*/*')).text();
}

async function json<T>(method: string, path: string, asked: Request): Promise<T> {
  const response = await send(method, addressOf(path, asked), asked, 'application/json');
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** The address of a route with its parameters; a parameter may be several parts of the path. */
export function addressOf(path: string, { path: parts, query }: Request): string {
  const values = (parts ?? {}) as Record<string, unknown>;
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    String(values[name]).split('/').map(encodeURIComponent).join('/'),
  );
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) search.set(name, String(value));
  }
  return search.size === 0 ? filled : `${filled}?${search}`;
}

/** Until when the service asked to wait, in milliseconds since 1970; 0 if it did not. */
export const waitsUntil = signal(0);

const TRIES = 4;
/** A longer wait is for the person to decide. */
const WAIT_SECONDS_MAX = 30;

/** A request with the token. Waits where the service says so, and asks for a token where one is missing. */
export async function send(method: string, address: string, request: Request, accept: string) {
  for (let tried = 1; ; tried += 1) {
    const response = await attempt(method, address, request, accept);
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (problem.status === 401 && (await askForToken(problem.message))) continue;
    if (tried === TRIES || !mayRepeat(method, problem)) throw problem;
    await pause(retryAfter(response) ?? 1);
  }
}

async function attempt(method: string, address: string, request: Request, accept: string) {
  const { body, headers, signal } = request;
  const isFile = body instanceof Blob;
  const content =
    body === undefined ? {} : { 'content-type': isFile ? body.type : 'application/json' };
  try {
    return await fetch(address, {
      method,
      headers: { accept, ...authorization(), ...content, ...headers },
      cache: 'no-cache',
      ...(body === undefined ? {} : { body: isFile ? body : JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable();
  }
}

/** Nothing was done on 429; on 503 that is certain only of what changes nothing. */
function mayRepeat(method: string, { status, retrySeconds = 1 }: Problem): boolean {
  if (retrySeconds > WAIT_SECONDS_MAX) return false;
  return status === 429 || (status === 503 && method === 'GET');
}

async function pause(seconds: number): Promise<void> {
  waitsUntil.value = Math.max(waitsUntil.value, Date.now() + seconds * 1000);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  if (Date.now() >= waitsUntil.value) waitsUntil.value = 0;
}
