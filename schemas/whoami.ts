/** The identity of the caller. */
import { Type } from 'typebox';
import { nullable, oneOf } from './common.js';

export const WhoAmISchema = Type.Object(
  {
    name: nullable(
      Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9._-]+$' }),
      'the name of the token; null if the service has no tokens',
    ),
    scope: oneOf(['read', 'write', 'admin', 'pool'], {
      description:
        'read: reading and the calculators; write: also creating, changing and deleting; admin: also administration; pool: only leases of some pools, and what they are lent for',
    }),
    pools: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 63 }), {
        maxItems: 100_000,
        description: 'the pools that a token of scope pool is for',
      }),
    ),
  },
  {
    $id: 'WhoAmI',
    additionalProperties: false,
    description: 'the identity of the caller and its scope',
    examples: [
      { name: 'ci', scope: 'write' },
      { name: null, scope: 'admin' },
    ],
  },
);
