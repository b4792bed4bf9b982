/** Scripts that collect on a real machine what can be sent as an observation: the files beside this one. */
import { readFileSync } from 'node:fs';

const FOLDER = new URL('../../../src/service/collectors/', import.meta.url);

const textOf = (name: string): string => readFileSync(new URL(name, FOLDER), 'utf8');

/** All begin alike: settings, facts of the machine, sending. */
const common = textOf('common.sh');

export const COLLECTORS = {
  'snapshot.sh': `${common}\n${textOf('snapshot.sh')}`,
  'trace.sh': `${common}\n${textOf('trace.sh')}`,
  'console.sh': `${common}\n${textOf('console.sh')}`,
} as const;
