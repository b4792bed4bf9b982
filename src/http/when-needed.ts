import type { FastifyInstance } from 'fastify';

export type Keep = <T>(make: () => T) => () => T;

/**
 * Keeps what takes long to make until it is first asked for. An app that begins to listen makes all of it, so that nobody's first
 * request waits; others, as most tests are, make what they use.
 */
export function whenNeeded(app: FastifyInstance): Keep {
  const all: (() => unknown)[] = [];
  app.addHook('onListen', async () => {
    for (const get of all) get();
  });
  return <T>(make: () => T) => {
    let made: { readonly value: T } | undefined;
    const get = (): T => {
      made ??= { value: make() };
      return made.value;
    };
    all.push(get);
    return get;
  };
}
