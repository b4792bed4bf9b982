/** Random sequences of host-side actions as Linux's own code wrote them, as recordings: each is one of its kernel. */
import t from 'tap';
import { sequencesOf } from '../../pmu/host-sequences.js';
import { explanationOf, recordsOf, textOfWrites } from './recordings.js';

/** Every so many of them; by hand 1. */
const EVERY = 60;

function explains(file: string, kernel: string, from: number): void {
  t.test(`${file} as recordings of ${kernel}`, async (t) => {
    const some = sequencesOf(file).filter((_, at) => at % EVERY === from % EVERY);
    t.ok(some.length > 0, 'there are some');
    for (const { id, cpu_model, steps } of some) {
      const records = recordsOf(steps.map(({ writes }) => textOfWrites(writes)).join('\n'));
      if (records.length === 0) continue;
      t.equal(explanationOf(records, { kernel, cpu_model }).verdict, 'explained', id);
    }
  });
}

explains('host-sequences-linux-6.1.192', 'linux-6.1.192', 0);
explains('host-sequences-linux-6.12.117', 'linux-6.12.117', 7);
// Linux 7.3.4 wrote the same.
explains('host-sequences-linux-6.12.117', 'linux-7.3.4', 12);
explains('host-groups-linux-7.3.4', 'linux-7.3.4', 4);
