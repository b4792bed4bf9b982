/** The step at the cursor in words, and the state after it. */
import { ActorMark } from '../widgets/actor.js';
import { Bit } from '../widgets/bit.js';
import type { Cursor, LaneCursor } from './cursor.js';
import { type Lane, stateAt, wordsAt } from './lanes.js';
import type { Run, Step } from './run.js';
import { describeStep, describeWrite } from './words.js';

interface Props {
  readonly run: Run;
  readonly lanes: readonly Lane[];
  readonly cursor: Cursor;
  /** Where this state can be walked on from. */
  readonly walk?: string | undefined;
}

export function StepPanel({ run, lanes, cursor, walk }: Props) {
  const step = run.steps[cursor.step - 1];
  return (
    <section class="panel step-panel" aria-label="The step at the cursor">
      <header>
        <h2>
          {cursor.step === 0
            ? 'Before the first step'
            : `Step ${cursor.step} of ${run.steps.length}`}
        </h2>
        {step !== undefined && <ActorMark actor={step.actor} />}
      </header>
      <div class="inside">
        <p class="unseen" aria-live="polite">
          {describeStep(run, cursor.step)}
        </p>
        {step === undefined ? <p>The registers as they are then.</p> : <What step={step} />}
        <Marks run={run} step={cursor.step} />
        <LaneStates lanes={lanes} cursor={cursor} />
        <div class="row">
          <button type="button" onClick={cursor.whoWrote} disabled={!leadsBack(cursor)}>
            Who wrote this?
          </button>
          {cursor.canGoBack && (
            <button type="button" onClick={cursor.back}>
              Back
            </button>
          )}
          {walk !== undefined && (
            <a class="button" href={walk}>
              Walk on from here
            </a>
          )}
        </div>
        <Bookmarks {...cursor} />
      </div>
    </section>
  );
}

function leadsBack({ origin, step }: Cursor): boolean {
  return origin.some((one) => one < step);
}

function What({ step }: { readonly step: Step }) {
  return (
    <>
      <p class="what">
        {step.at !== undefined && <code>{step.at}</code>} {step.action}
      </p>
      {step.source !== undefined && <p class="source muted">{step.source}</p>}
      {step.writes.length > 0 && (
        <ul class="facts">
          {step.writes.map((write) => (
            <li key={describeWrite(write)}>
              <code>{describeWrite(write)}</code>
            </li>
          ))}
        </ul>
      )}
      {step.changes.length > 0 && (
        <ul class="facts muted">
          {step.changes.map(({ of, field, before, after }) => (
            <li key={of + field}>
              <code>
                {of} {field}: {before} → {after}
              </code>
            </li>
          ))}
        </ul>
      )}
      {step.decisions.length > 0 && (
        <ul class="facts muted">
          {step.decisions.map((decision) => (
            <li key={decision}>not done: {decision}</li>
          ))}
        </ul>
      )}
      {step.violated.length > 0 && (
        <p class="violated">
          ▲ violated: <code>{step.violated.join(' ')}</code>
        </p>
      )}
    </>
  );
}

function Marks({ run, step }: { readonly run: Run; readonly step: number }) {
  if (step > 0 && step === run.pointOfNoReturn) {
    return (
      <p class="violated">★ Point of no return: after this step nothing avoids the violation.</p>
    );
  }
  return null;
}

function Bookmarks({ step, bookmarks, bookmark, move, flagOf }: Cursor) {
  return (
    <div class="row" role="group" aria-label="Bookmarks">
      <button
        type="button"
        class="small"
        aria-pressed={flagOf(step) !== ''}
        onClick={() => bookmark()}
      >
        Bookmark
      </button>
      {bookmarks.map((marked, at) =>
        marked === undefined ? null : (
          <button type="button" class="small" key={at} onClick={() => move(marked)}>
            ⚑{at + 1} <span class="muted">step {marked}</span>
          </button>
        ),
      )}
    </div>
  );
}

interface LanesProps {
  readonly lanes: readonly Lane[];
  readonly cursor: LaneCursor;
}

export function LaneStates({ lanes, cursor }: LanesProps) {
  if (lanes.length === 0) return null;
  return (
    <div>
      <h3>After it</h3>
      <ul class="state-list">
        {lanes.map((lane) => (
          <LaneState key={lane.id} lane={lane} cursor={cursor} />
        ))}
      </ul>
    </div>
  );
}

function LaneState({ lane, cursor }: { readonly lane: Lane; readonly cursor: LaneCursor }) {
  const words = wordsAt(lane, cursor.step);
  return (
    <li data-chosen={lane === cursor.lane || undefined}>
      <button type="button" class="plain" onClick={() => cursor.select(lane)}>
        {lane.kind === 'bit' && <Bit state={stateAt(lane, cursor.step)} label={null} />}
        <span>
          {lane.group} {lane.label}
        </span>
        <code>{words}</code>
      </button>
    </li>
  );
}
