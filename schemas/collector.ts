/** Scripts that collect on a real machine what can be sent as an observation. */
import { type Static, Type } from 'typebox';
import { oneOf } from './common.js';

export const CollectorParamsSchema = Type.Object(
  {
    collector: oneOf(['snapshot.sh', 'trace.sh', 'console.sh'], {
      description:
        'snapshot.sh reads IA32_PEBS_ENABLE of every CPU twice; trace.sh traces its writes beside VM-entries and VM-exits; console.sh takes the log of the kernel',
    }),
  },
  {
    $id: 'CollectorParams',
    additionalProperties: false,
    description: 'the script',
    examples: [{ collector: 'snapshot.sh' }],
  },
);
export type CollectorParams = Static<typeof CollectorParamsSchema>;

export const CollectorTextSchema = Type.String({
  $id: 'CollectorText',
  maxLength: 65_536,
  description: 'a POSIX shell script',
  examples: ['#!/bin/sh\n'],
});
