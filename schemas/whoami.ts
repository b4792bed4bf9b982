/** Who the service takes a client for. */
import { Type } from 'typebox';
import { nullable, oneOf } from './common.js';

export const WhoAmISchema = Type.Object(
  {
    name: nullable(
      Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9._-]+$' }),
      'the name of the token; null where the service asks for none',
    ),
    scope: oneOf(['read', 'write', 'admin'], {
      description:
        'read looks and calculates; write also makes, changes and deletes; admin also administers',
    }),
  },
  {
    $id: 'WhoAmI',
    additionalProperties: false,
    description: 'who the service takes a client for, and what that one may do',
    examples: [
      { name: 'ci', scope: 'write' },
      { name: null, scope: 'admin' },
    ],
  },
);
