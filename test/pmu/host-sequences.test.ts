/** Random sequences of host-side actions, each against what Linux's own code did: semantics.md §3. */
import t from 'tap';
import { findKernel } from '../../src/pmu/kernels/index.js';
import { firstDifference, hostOf, sequencesOf } from './host-sequences.js';

const NEWEST = 'linux-7.3.4';
const hasNewest = findKernel(NEWEST) !== undefined;

function replays(file: string, count: number, kernel: string, groupThrottle?: boolean): void {
  t.test(`${file} on ${kernel}`, async (t) => {
    const sequences = sequencesOf(file);
    t.equal(sequences.length, count, 'all sequences are there');
    for (const sequence of sequences) {
      const host = hostOf(sequence.cpu_model, kernel, groupThrottle);
      t.equal(await firstDifference(sequence, host), undefined, sequence.id);
    }
  });
}

replays('host-sequences-linux-6.1.192', 300, 'linux-6.1.192');
replays('host-sequences-linux-6.12.117', 300, 'linux-6.12.117');
// Linux 7.3.4 gives the same answers to lone events, and it alone of these throttles whole groups.
if (hasNewest) {
  replays('host-sequences-linux-6.12.117', 300, NEWEST);
  replays('host-groups-linux-7.3.4', 120, NEWEST);
} else {
  replays('host-groups-linux-7.3.4', 120, 'linux-6.12.117', true);
}
