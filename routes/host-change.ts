/** A route that changes a host, as a row: what it takes and answers, what it does in a session, and how that is shown. */
import type { FastifyInstance, FastifySchema } from 'fastify';
import type { Static, TSchema } from 'typebox';
import type { ScriptAction } from '../schemas/script.js';
import { sendReply, termsOf } from '../src/http/read/idempotency.js';
import type { HostSession } from '../src/service/hosts/host-session.js';
import type { ChangeView } from '../src/service/hosts/hosts.js';

interface HostChange<Params extends TSchema, Body extends TSchema, Result, View> {
  readonly path: `/hosts/:host/${string}`;
  readonly schema: FastifySchema & { readonly params: Params; readonly body: Body };
  /** A request without a body means `{}`. */
  readonly optionalBody?: boolean;
  readonly act: (
    session: HostSession,
    body: Static<Body>,
    params: Static<Params>,
  ) => Promise<Result> | Result;
  /** What a script would do instead. */
  readonly actions: (body: Static<Body>, params: Static<Params>) => readonly ScriptAction[];
  readonly view: (...made: [...Parameters<ChangeView<Result, View>>, body: Static<Body>]) => View;
  /** What was made under the path, where something was. */
  readonly idOf?: (view: View) => string;
}

export function hostChange<Params extends TSchema, Body extends TSchema, Result, View>(
  app: FastifyInstance,
  row: HostChange<Params, Body, Result, View>,
): void {
  const { path, schema, optionalBody = false, act, actions, view, idOf } = row;
  app.post(path, { config: { idempotent: true, optionalBody }, schema }, async (request, reply) => {
    const params = request.params as Static<Params> & { host: string };
    const body = request.body as Static<Body>;
    const changed = await app.services.hosts.change(
      params.host,
      termsOf(request),
      { act: (session) => act(session, body, params), actions: actions(body, params) },
      (host, run, result) => view(host, run, result, body),
      idOf && ((made, { id }) => `/v1${path.replace(':host', id)}/${idOf(made)}`),
    );
    return sendReply(reply, changed);
  });
}
