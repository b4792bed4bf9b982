/**
 * What KCIDB 5.3 takes, written down from its documentation: required fields, patterns of ids, paths and texts, closed lists,
 * nothing unknown and no nulls.
 */
import { Ajv, type ErrorObject } from 'ajv';

const string = { type: 'string', pattern: '^[^\\0]*$' };
const id = { type: 'string', pattern: '^[a-z0-9_]+:[^\\0]*$' };
const origin = { type: 'string', pattern: '^[a-z0-9_]+$' };
const status = { enum: ['FAIL', 'ERROR', 'MISS', 'PASS', 'DONE', 'SKIP'] };
const time = { type: 'string', format: 'date-time' };
const uri = { type: 'string', format: 'uri' };
const excerpt = { ...string, maxLength: 16_384 };
const misc = { type: 'object' };

const object = (required: readonly string[], properties: object) => ({
  type: 'object',
  additionalProperties: false,
  required,
  properties,
});
const list = (items: object) => ({ type: 'array', items });

const KCIDB_5_3 = object(['version'], {
  version: object(['major'], {
    major: { const: 5 },
    minor: { type: 'integer', minimum: 0, maximum: 3 },
  }),
  checkouts: list(
    object(['id', 'origin'], {
      id,
      origin,
      tree_name: string,
      git_repository_url: { ...uri, pattern: '^https://[^\\0]*$' },
      git_commit_hash: { type: 'string', pattern: '^[0-9a-f]{40}$' },
      git_commit_name: string,
      comment: string,
      start_time: time,
      log_url: uri,
      log_excerpt: excerpt,
      valid: { type: 'boolean' },
      misc,
    }),
  ),
  builds: list(
    object(['checkout_id', 'id', 'origin'], {
      checkout_id: id,
      id,
      origin,
      comment: string,
      start_time: time,
      duration: { type: 'number' },
      architecture: { type: 'string', pattern: '^[a-z0-9_]*$' },
      compiler: string,
      config_name: string,
      status,
      misc,
    }),
  ),
  tests: list(
    object(['build_id', 'id', 'origin'], {
      build_id: id,
      id,
      origin,
      environment: object([], {
        compatible: list({ type: 'string', pattern: '^[^ \\0]+(,[^ \\0]+)*$' }),
        comment: string,
        misc,
      }),
      path: { type: 'string', pattern: '^([a-zA-Z0-9_-]+(\\.[a-zA-Z0-9_-]+)*)?$' },
      comment: string,
      log_url: uri,
      log_excerpt: excerpt,
      status,
      number: object(['value'], {
        value: { type: 'number' },
        unit: string,
        prefix: { enum: ['metric', 'binary'] },
      }),
      start_time: time,
      duration: { type: 'number' },
      misc,
    }),
  ),
});

const ajv = new Ajv({ allErrors: true, strict: false });
ajv.addFormat('date-time', (text: string) => /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(text));
ajv.addFormat('uri', (text: string) => URL.canParse(text));
const validate = ajv.compile(KCIDB_5_3);

const shown = ({ instancePath, message }: ErrorObject): string => `${instancePath} ${message}`;

/** What is wrong with a document; empty where nothing is. */
export function kcidbFaults(document: unknown): string[] {
  const faults = validate(document) ? [] : (validate.errors ?? []).map(shown);
  return JSON.stringify(document).includes(':null') ? [...faults, 'there are nulls'] : faults;
}

interface Dashboard {
  checkouts: { id: string; git_repository_url?: string }[];
  builds: { id: string; checkout_id: string; misc?: { lab?: string } }[];
  tests: {
    id: string;
    build_id: string;
    misc?: { runtime?: string };
    environment?: { compatible?: string[]; misc?: { platform?: string } };
  }[];
}

/** What KernelCI's dashboard would not find: the hardware, the lab, the tree; and ids that lead nowhere or are used twice. */
export function dashboardFaults({ checkouts, builds, tests }: Dashboard): string[] {
  const ids = [...checkouts, ...builds, ...tests].map((one) => one.id);
  const faults = new Set(ids).size === ids.length ? [] : ['an id is used twice'];
  for (const { build_id, misc, environment, id: test } of tests) {
    const build = builds.find((one) => one.id === build_id);
    const checkout = checkouts.find((one) => one.id === build?.checkout_id);
    const needed = {
      platform: environment?.misc?.platform,
      compatible: environment?.compatible?.[0],
      runtime: misc?.runtime,
      lab: build?.misc?.lab,
      repository: checkout?.git_repository_url,
    };
    for (const [name, value] of Object.entries(needed)) {
      if (value === undefined || value === '') faults.push(`${test} has no ${name}`);
    }
  }
  return faults;
}
