/** The machine says no: an action that its state or its rules do not allow. Nothing has been changed that is kept. */
import type { Errno } from '../perf/open-rules.js';

export type RefusalKind = 'state' | 'rule' | 'perf' | 'limit' | 'range';

export class Refused extends Error {
  /** The request field the refusal is about, as a JSON pointer below the action; empty for the action itself. */
  readonly field: string;
  /**
   * `state`: not now; `rule`: never, in this form; `perf`: perf's own errno; `limit`: a bound of the service; `range`: no
   * value of the field.
   */
  readonly kind: RefusalKind;
  readonly errno: Errno | undefined;

  constructor(kind: RefusalKind, reason: string, field = '', errno?: Errno) {
    super(reason);
    this.kind = kind;
    this.field = field;
    this.errno = errno;
  }
}
