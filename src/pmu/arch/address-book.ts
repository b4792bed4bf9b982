/**
 * Linear addresses as small identities: the engine only ever compares and copies them.
 *
 * Identity 0 is the null address, 1 to 8 are the DS areas of the logical CPUs in their cpu_entry_area; what a guest
 * writes to IA32_DS_AREA gets the next free number.
 */
import { CPUS_MAX } from '../vocabulary.js';
import type { U64 } from './counter-set.js';

const NULL_ADDRESS: U64 = { hi: 0, lo: 0 };
/** The debug store of CPU 0 in the cpu_entry_area, and the distance to the next CPU's (x86_64, typical layout). */
const DS_AREA_BASE: U64 = { hi: 0xfffffe00, lo: 0x00016000 };
const CPU_STRIDE = 0x0003b000;
/** How many different addresses one book holds. */
export const ADDRESSES_MAX = 4096;

export class AddressBook {
  private readonly values: U64[] = [NULL_ADDRESS];

  constructor() {
    for (let cpu = 0; cpu < CPUS_MAX; cpu += 1) {
      this.values.push({ hi: DS_AREA_BASE.hi, lo: DS_AREA_BASE.lo + cpu * CPU_STRIDE });
    }
  }

  /** A book with further addresses, in their order. */
  static of(added: readonly U64[]): AddressBook {
    const book = new AddressBook();
    book.values.push(...added);
    return book;
  }

  /** What was added to a new book, in order. */
  added(): readonly U64[] {
    return this.values.slice(1 + CPUS_MAX);
  }

  /** The same book, to be written in without changing this one. */
  copy(): AddressBook {
    return AddressBook.of(this.added());
  }

  /** The identity of an address, or undefined when the book is full. */
  identify(address: U64): number | undefined {
    const known = this.values.findIndex(({ hi, lo }) => hi === address.hi && lo === address.lo);
    if (known >= 0) {
      return known;
    }
    if (this.values.length >= ADDRESSES_MAX) {
      return undefined;
    }
    this.values.push({ hi: address.hi, lo: address.lo });
    return this.values.length - 1;
  }

  /** The address of an identity. */
  valueOf(identity: number): U64 {
    const value = this.values[identity];
    if (value === undefined) {
      throw new RangeError(`no address has identity ${identity}`);
    }
    return value;
  }
}
