/** What clients and events are told of an observation. */
import type {
  Observation,
  ObservationPreview,
  ObservationSummary,
} from '../../../schemas/observation.js';
import type { Answer } from '../../observations/answer.js';
import { awayReason } from '../../store/database-errors.js';
import { type EventInput, eventOf } from '../../store/event-store.js';
import type { ObservationRow } from '../../store/observation-store.js';
import { defined } from '../defined.js';
import { ProblemError } from '../problem-error.js';
import type { ReadText } from './piece-reading.js';

/** What a request says of its text. */
export interface About {
  readonly format: string;
  readonly machine?: string | undefined;
  readonly pool?: string | undefined;
  readonly lease?: string | undefined;
  readonly complete?: boolean | undefined;
  readonly facts: Readonly<Record<string, string>>;
}

export const SERVICE_ENDED = 'The service ended while it was read; send it again.';

export function observationOf(row: ObservationRow): Observation {
  const { id, state, textBytes, error } = row;
  const { format, machine, pool, lease } = row.about as About;
  const answer = (row.answer ?? {}) as Partial<Answer>;
  return {
    id,
    state: state === 'done' || state === 'failed' ? state : 'reading',
    format,
    ...defined({ machine, pool, lease }),
    created_at: row.createdAt.toISOString(),
    ...(row.finishedAt === null ? {} : { finished_at: row.finishedAt.toISOString() }),
    ...(error === null ? {} : { error }),
    ...(row.answer === null ? {} : { bytes: textBytes }),
    ...answer,
  } as Observation;
}

/** Without what may be long. */
export function summaryOf(row: ObservationRow): ObservationSummary {
  const {
    rejected,
    rejected_total,
    cut,
    losses,
    cpus,
    findings,
    test_counts,
    tests,
    span_seconds,
    facts,
    missing,
    preconditions,
    next,
    ...summary
  } = observationOf(row);
  return summary;
}

export function previewOf(
  { machine, pool, lease }: About,
  { answer, textBytes, preview }: ReadText,
): ObservationPreview {
  const about = defined({ machine, pool, lease });
  const read = { ...about, bytes: textBytes, ...answer, records_preview: preview };
  return read as unknown as ObservationPreview;
}

/** `answer` is undefined where it failed. */
export function endedEvent(
  id: string,
  { machine, pool, lease }: About,
  answer: Answer | undefined,
): EventInput {
  const found =
    answer === undefined
      ? { state: 'failed' }
      : {
          state: 'done',
          format: answer.format,
          verdict: answer.verdict,
          class: answer.class,
          path: answer.path,
        };
  return eventOf('observation.ended', id, { ...found, ...defined({ machine, pool, lease }) });
}

/** Why a text that had been accepted could not be read. */
export function failureReason(error: unknown): string {
  if (error instanceof ProblemError) return error.message;
  const away = awayReason(error);
  if (away !== undefined) return `The database was unavailable: ${away}; send it again.`;
  return 'The service failed while it was read; send it again.';
}
