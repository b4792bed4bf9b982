/** What is seen of a machine, in words. */
import { ANY_FACET } from '../../explorer/observation.js';
import {
  EXIT_BY_NMI,
  EXIT_FAILED_ENTRY,
  IN_NMI,
  NOT_IN_NMI,
  type Seen,
} from '../../model/recordings/symbols.js';
import { formatU64 } from '../../model/values.js';
import { nameOfIndex } from '../msr-names.js';

export function toldSeen({ what, of, value, facets }: Seen): string {
  switch (what) {
    case 'write': {
      const context =
        facets === IN_NMI ? ' in an NMI' : facets === NOT_IN_NMI ? ' outside any NMI' : '';
      return `${nameOfIndex(of) ?? `0x${of.toString(16)}`} := ${formatU64(value)}${context}`;
    }
    case 'guest_write':
      return `the guest's ${nameOfIndex(of) ?? `0x${of.toString(16)}`} := ${formatU64(value)}`;
    case 'guest_read':
      return `the guest's ${nameOfIndex(of) ?? `0x${of.toString(16)}`} = ${formatU64(value)}`;
    case 'vm_entry':
      return `entry of vCPU ${of}`;
    case 'vm_exit':
      return `exit of vCPU ${of}${toldReason(facets)}`;
    case 'nmi':
      return 'the end of an NMI';
    case 'reading':
      return `${nameOfIndex(of) ?? `0x${of.toString(16)}`} = ${formatU64(value)}`;
    case 'throttle':
      return 'an event is throttled';
    case 'unthrottle':
      return 'an event is no longer throttled';
  }
}

function toldReason(facets: number): string {
  if (facets === ANY_FACET) return '';
  if (facets & EXIT_FAILED_ENTRY) return ' after a failed entry';
  return facets & EXIT_BY_NMI ? ' by an NMI or an exception' : ', not by an NMI';
}
