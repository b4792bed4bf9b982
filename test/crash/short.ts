/** The short forms of the scenarios, for the tests that run every time. */
import process from 'node:process';
import type { Test } from 'tap';
import { SMALL_WORK } from './long-work.js';
import { seeded } from './random.js';
import { Report } from './report.js';
import type { ScenarioOptions } from './scenario.js';

/** Every run takes another seed; a run is repeated with SEED. */
export async function runShort(
  t: Test,
  scenario: (options: ScenarioOptions) => Promise<void>,
  { rounds, clients }: Pick<ScenarioOptions, 'rounds' | 'clients'>,
): Promise<void> {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
  const report = new Report();
  await scenario({ rounds, clients, work: SMALL_WORK, random: seeded(seed), report });
  t.strictSame(report.faults, [], `nothing is lost or doubled with seed ${seed}`);
  t.ok(report.acknowledged > 0, 'there was something to lose');
  t.comment(report.summary());
}
