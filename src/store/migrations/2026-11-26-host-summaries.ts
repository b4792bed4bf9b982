/** Stores the fields that a list of hosts shows outside the image, which was unpacked for every list before. */
import { type Kysely, sql } from 'kysely';

export const hostSummaries = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) {
      await sql.raw(statement).execute(db);
    }
  },
};

/** Half of a 64-bit value as 8 hex digits; images hold it as a number that may be negative. */
const hex = (half: 'hi' | 'lo'): string =>
  `lpad(to_hex((image::jsonb #>> '{microcode,${half}}')::bigint & 4294967295), 8, '0')`;

const STATEMENTS = [
  `alter table hosts add column summary text not null default ''`,
  // As src/service/host-summary.ts writes it.
  `update hosts set summary = json_build_object(
     'microcode', '0x' || ${hex('hi')} || ${hex('lo')},
     'isolation', (image::jsonb ->> 'noIsolation')::int = 0,
     'events', (select count(*) from jsonb_array_elements(image::jsonb -> 'events') e where e <> 'null'),
     'vcpus', jsonb_array_length(image::jsonb -> 'vcpus'),
     'micro_steps', (image::jsonb #>> '{tally,microSteps}')::bigint)::text`,
  `alter table hosts alter column summary drop default`,
];
