/** By invariant, what is wrong in a state in which it is violated at one of its points. */
import type { FaultsOf } from './fault.js';
import { guestFaults } from './guest-faults.js';
import { hostFaults } from './host-faults.js';
import { listFaults } from './list-faults.js';
import { pebsEnableFaults } from './pebs-enable-faults.js';

export const FAULTS: Readonly<Record<string, FaultsOf>> = {
  ...pebsEnableFaults,
  ...guestFaults,
  ...hostFaults,
  ...listFaults,
};
