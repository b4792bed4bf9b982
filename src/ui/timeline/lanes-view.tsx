/** The lanes as a picture: names at the left, two canvases that show what is visible, and one slider that moves the cursor. */
import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { colours } from '../frame/scheme.js';
import { ActorMark } from '../widgets/actor.js';
import type { LaneCursor } from './cursor.js';
import { drawCursor, drawRun, type View } from './draw.js';
import type { Lane } from './lanes.js';
import {
  ACTOR_HEIGHT,
  AXIS_HEIGHT,
  clampWidth,
  firstWidth,
  GROUP_HEIGHT,
  layOut,
} from './layout.js';
import { readPalette } from './palette.js';
import type { Run } from './run.js';
import { describeStep } from './words.js';

interface Props {
  readonly run: Run;
  readonly lanes: readonly Lane[];
  readonly cursor: LaneCursor;
}

const MOVES: Readonly<Record<string, (step: number, last: number) => number>> = {
  ArrowRight: (step) => step + 1,
  ArrowUp: (step) => step + 1,
  ArrowLeft: (step) => step - 1,
  ArrowDown: (step) => step - 1,
  PageUp: (step) => step + 10,
  PageDown: (step) => step - 10,
  Home: () => 0,
  End: (_, last) => last,
};

export function LanesView({ run, lanes, cursor }: Props) {
  const layout = useMemo(() => layOut(run, lanes), [run, lanes]);
  const columns = run.steps.length + 1;
  const scroller = useRef<HTMLDivElement>(null);
  const picture = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const room = useSignal(0);
  const left = useSignal(0);
  const zoom = useSignal<number | undefined>(undefined);
  const stepWidth = zoom.value ?? firstWidth(columns, room.value || 800);

  useLayoutEffect(() => {
    const element = scroller.current!;
    const observer = new ResizeObserver(() => {
      room.value = element.clientWidth;
    });
    room.value = element.clientWidth;
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const viewOf = (canvas: HTMLCanvasElement | null): View | undefined => {
    const context = canvas?.getContext('2d');
    if (!canvas || !context || room.value === 0) return undefined;
    fitCanvas(canvas, context, room.value, layout.height);
    const palette = readPalette(scroller.current!);
    return { run, layout, palette, context, width: room.value, stepWidth, left: left.value };
  };

  useLayoutEffect(() => {
    const view = viewOf(picture.current);
    if (view !== undefined) drawRun(view);
  }, [run, layout, room.value, left.value, stepWidth, colours.value]);

  useLayoutEffect(() => {
    const view = viewOf(overlay.current);
    const lane = layout.lanes.find((placed) => placed.lane === cursor.lane);
    if (view !== undefined) drawCursor(view, cursor, lane);
  }, [
    run,
    layout,
    room.value,
    left.value,
    stepWidth,
    colours.value,
    cursor.step,
    cursor.lane,
    cursor.bookmarks.join(),
  ]);

  // The cursor stays visible.
  useEffect(() => {
    const element = scroller.current!;
    const x = cursor.step * stepWidth;
    if (x < element.scrollLeft) element.scrollLeft = x - element.clientWidth / 3;
    const right = x + stepWidth - element.clientWidth;
    if (right > element.scrollLeft) element.scrollLeft = right + element.clientWidth / 3;
  }, [cursor.step, stepWidth]);

  const point = (event: MouseEvent): void => {
    const box = picture.current!.getBoundingClientRect();
    cursor.move(Math.floor((event.clientX - box.left + left.value) / stepWidth));
    const y = event.clientY - box.top;
    const hit = layout.lanes.find(({ top, height }) => y >= top && y < top + height);
    if (hit !== undefined) cursor.select(hit.lane);
  };
  const press = (event: KeyboardEvent): void => {
    const move = MOVES[event.key];
    if (move === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    cursor.move(move(cursor.step, run.steps.length));
  };
  const wheel = (event: WheelEvent): void => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom.value = clampWidth(stepWidth * (event.deltaY < 0 ? 1.2 : 1 / 1.2));
  };

  return (
    <div class="lanes">
      <div class="row lanes-tools">
        <button
          type="button"
          onClick={() => (zoom.value = clampWidth(stepWidth / 1.4))}
          aria-label="Narrower steps"
        >
          −
        </button>
        <button
          type="button"
          onClick={() => (zoom.value = clampWidth(stepWidth * 1.4))}
          aria-label="Wider steps"
        >
          +
        </button>
        <span class="muted key-line">
          thick: hardware · thin line below: what perf wants
          {run.pointOfNoReturn !== undefined && ' · ★ from here on unavoidable'}
          {run.parting !== undefined && ' · ≠ the runs part'}
          {run.firstViolation !== undefined && ' · ▲ violated'}
        </span>
      </div>
      <div class="lanes-body" style={{ height: layout.height }}>
        <LaneNames layout={layout} cursor={cursor} />
        <div
          class="lanes-scroller"
          ref={scroller}
          role="slider"
          tabIndex={0}
          aria-label="Step"
          aria-valuemin={0}
          aria-valuemax={run.steps.length}
          aria-valuenow={cursor.step}
          aria-valuetext={describeStep(run, cursor.step)}
          onScroll={({ currentTarget }) => {
            left.value = currentTarget.scrollLeft;
          }}
          onMouseDown={point}
          onDblClick={cursor.whoWrote}
          onKeyDown={press}
          onWheel={wheel}
        >
          <div
            class="lanes-extent"
            style={{ width: Math.ceil(columns * stepWidth), height: layout.height }}
          >
            <canvas ref={picture} aria-hidden="true" />
            <canvas ref={overlay} aria-hidden="true" />
          </div>
        </div>
      </div>
    </div>
  );
}

/** As sharp as the screen. */
function fitCanvas(
  canvas: HTMLCanvasElement,
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
) {
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
}

function LaneNames({
  layout,
  cursor,
}: {
  readonly layout: ReturnType<typeof layOut>;
  readonly cursor: LaneCursor;
}) {
  return (
    <div class="lane-names">
      <div class="muted" style={{ height: AXIS_HEIGHT }}>
        step
      </div>
      {layout.actors.map((actor) => (
        <div key={actor} style={{ height: ACTOR_HEIGHT }}>
          <ActorMark actor={actor} />
        </div>
      ))}
      <fieldset>
        <legend class="unseen">The chosen lane</legend>
        {layout.lanes.map(({ lane, height, heading }) => (
          <div key={lane.id}>
            {heading !== undefined && (
              <div class="lane-heading" style={{ height: GROUP_HEIGHT }} title={heading}>
                {heading}
              </div>
            )}
            <label style={{ height }}>
              <input
                type="radio"
                name="lane"
                checked={lane === cursor.lane}
                onChange={() => cursor.select(lane)}
              />
              {lane.label}
            </label>
          </div>
        ))}
      </fieldset>
    </div>
  );
}
