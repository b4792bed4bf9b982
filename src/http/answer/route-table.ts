/**
 * Records which paths exist with which methods, because Fastify's router reports "not found" both
 * for an unknown path and for an unknown method of a known one.
 */
import type { FastifyInstance } from 'fastify';

export interface RouteTable {
  /** The methods of the routes that match a path, sorted; empty if the path is unknown. */
  methodsOf(path: string): string[];
}

interface KnownPath {
  readonly pattern: RegExp;
  readonly methods: Set<string>;
}

export function recordRoutes(app: FastifyInstance): RouteTable {
  const paths = new Map<string, KnownPath>();
  app.addHook('onRoute', ({ url, method }) => {
    const known = paths.get(url) ?? { pattern: toPattern(url), methods: new Set<string>() };
    for (const name of [method].flat()) known.methods.add(name);
    paths.set(url, known);
  });
  return {
    methodsOf(path) {
      const methods = new Set<string>();
      for (const known of paths.values()) {
        if (known.pattern.test(path)) for (const method of known.methods) methods.add(method);
      }
      return [...methods].sort();
    },
  };
}

function toPattern(url: string): RegExp {
  const source = url
    .split('/')
    .map((part) => (part.startsWith(':') ? '[^/]+' : escapeExpression(part)))
    .join('/');
  return new RegExp(`^${source}$`);
}

function escapeExpression(part: string): string {
  return part.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
}
