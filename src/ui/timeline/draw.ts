/** Draws the lanes of the timeline. The work grows with the changes on screen, not with the steps. */
import { ACTOR_GLYPHS } from '../widgets/actor.js';
import type { BitState } from '../widgets/bit.js';
import type { LaneCursor } from './cursor.js';
import { type BitLane, isWanted, type Lane, stateAt, textAt } from './lanes.js';
import { ACTOR_HEIGHT, AXIS_HEIGHT, type Layout, type Placed } from './layout.js';
import type { Palette } from './palette.js';
import type { Run } from './run.js';

export interface View {
  readonly run: Run;
  readonly layout: Layout;
  readonly palette: Palette;
  readonly context: CanvasRenderingContext2D;
  /** Of what is visible, in CSS pixels. */
  readonly width: number;
  readonly stepWidth: number;
  /** How far it is scrolled. */
  readonly left: number;
}

const SMALL = '11px system-ui, sans-serif';
const MONO = '11px ui-monospace, monospace';
/** A thin line under each bit says what perf wants. */
const WANTED_HEIGHT = 9;

export function drawRun(view: View): void {
  const { context, width, layout, palette } = view;
  context.fillStyle = palette.ground;
  context.fillRect(0, 0, width, layout.height);
  drawRegions(view);
  drawAxis(view);
  drawActors(view);
  // Behind the lanes, so that no line runs through a word.
  drawMarks(view);
  for (const placed of layout.lanes) drawLane(view, placed);
}

function visibleColumns({ run, left, width, stepWidth }: View): [number, number] {
  const first = Math.max(0, Math.floor(left / stepWidth));
  return [first, Math.min(run.steps.length, Math.ceil((left + width) / stepWidth))];
}

function xOf({ left, stepWidth }: View, column: number): number {
  return column * stepWidth - left;
}

/** What cannot be avoided any more has another ground. */
function drawRegions(view: View): void {
  const { context, run, width, layout, palette } = view;
  const from = run.pointOfNoReturn;
  if (from === undefined) return;
  const x = Math.max(0, xOf(view, from));
  context.fillStyle = palette.surface;
  context.fillRect(x, 0, width - x, layout.height);
}

function drawAxis(view: View): void {
  const { context, run, stepWidth, palette } = view;
  const [first, last] = visibleColumns(view);
  const every = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((n) => n * stepWidth >= 26) ?? 1000;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  for (let column = first; column <= last; column += 1) {
    const x = xOf(view, column) + stepWidth / 2;
    if (column % every === 0) {
      context.font = SMALL;
      context.fillStyle = palette.muted;
      context.fillText(String(column), x, 10);
    }
    const at = run.steps[column - 1]?.at;
    if (stepWidth < 20 || at === undefined) continue;
    context.font = MONO;
    context.fillStyle = palette.ink;
    context.fillText(shortName(at), x, 28);
  }
  line(view, AXIS_HEIGHT - 1);
}

/** `k5_switch:IA32_PEBS_ENABLE` is known as k5. */
function shortName(at: string): string {
  return at.split('_')[0]!.slice(0, 5);
}

function line({ context, palette, width }: View, y: number): void {
  context.fillStyle = palette.line;
  context.fillRect(0, y, width, 1);
}

function drawActors(view: View): void {
  const { context, run, layout, palette, stepWidth } = view;
  const [first, last] = visibleColumns(view);
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.font = `${Math.min(13, Math.max(6, stepWidth))}px system-ui, sans-serif`;
  for (let column = Math.max(1, first); column <= last; column += 1) {
    const { actor, isQuiet } = run.steps[column - 1]!;
    const row = layout.actors.indexOf(actor);
    const y = AXIS_HEIGHT + row * ACTOR_HEIGHT + ACTOR_HEIGHT / 2;
    context.fillStyle = actor === 'nmi' ? palette.stuck : isQuiet ? palette.edge : palette.ink;
    context.fillText(ACTOR_GLYPHS[actor], xOf(view, column) + stepWidth / 2, y);
  }
}

function drawLane(view: View, { lane, top, height, heading }: Placed): void {
  if (heading !== undefined) line(view, top - 24);
  eachSpan(view, keyOf(lane), (from, to) => {
    const x = xOf(view, from);
    const width = (to - from) * view.stepWidth;
    if (lane.kind === 'bit')
      drawBit(view, stateAt(lane, from), x, top + 4, width, height - 8 - WANTED_HEIGHT);
    else
      drawValue(
        view,
        textAt(lane, from),
        lane.kind === 'value' && !isWanted(lane, from),
        x,
        top + 3,
        width,
        height - 6,
      );
  });
  if (lane.kind === 'bit') drawWanted(view, lane, top + height - WANTED_HEIGHT - 1);
}

/** What is the same for columns that are drawn as one. */
function keyOf(lane: Lane): (column: number) => string {
  if (lane.kind === 'bit') return (column) => stateAt(lane, column);
  if (lane.kind === 'text') return (column) => textAt(lane, column);
  return (column) => `${textAt(lane, column)} ${isWanted(lane, column)}`;
}

function eachSpan(
  view: View,
  key: (column: number) => string,
  draw: (from: number, to: number) => void,
) {
  const [first, last] = visibleColumns(view);
  let from = first;
  // Text begins where the value does, also left of what is visible.
  while (from > 0 && from > first - 200 && key(from - 1) === key(first)) from -= 1;
  for (let column = first + 1; column <= last + 1; column += 1) {
    if (column <= last && key(column) === key(from)) continue;
    draw(from, column);
    from = column;
  }
}

function drawBit(
  view: View,
  state: BitState,
  x: number,
  y: number,
  width: number,
  height: number,
): void {
  const { context, palette } = view;
  context.strokeStyle = palette[state === 'unknown' ? 'edge' : state];
  context.fillStyle = context.strokeStyle;
  context.lineWidth = 2;
  if (state === 'set') {
    context.fillRect(x, y, width, height);
  } else if (state === 'clear' || state === 'unknown') {
    context.fillRect(x, y + height - 2, width, 2);
  } else if (state === 'stuck') {
    hatch(view, x, y, width, height);
    context.strokeRect(x + 1, y + 1, width - 2, height - 2);
    boxText(view, 'STUCK', 'S', x, y, width, height);
  } else {
    context.setLineDash([4, 3]);
    context.lineWidth = 1.5;
    context.strokeRect(x + 1, y + 1, width - 2, height - 2);
    context.setLineDash([]);
    boxText(view, 'LOST', 'L', x, y, width, height);
  }
}

function hatch({ context }: View, x: number, y: number, width: number, height: number): void {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.lineWidth = 1.5;
  context.beginPath();
  for (let at = x - height; at < x + width; at += 6) {
    context.moveTo(at, y + height);
    context.lineTo(at + height, y);
  }
  context.stroke();
  context.restore();
}

/** The long word if there is room, the letter if there is only room for that. */
function boxText(
  view: View,
  long: string,
  short: string,
  x: number,
  y: number,
  width: number,
  height: number,
) {
  const { context, palette } = view;
  context.font = 'bold 11px system-ui, sans-serif';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  const text = width > 52 ? long : short;
  const room = context.measureText(text).width + 6;
  if (room > width - 2) return;
  const middle = x + width / 2;
  context.fillStyle = palette.ground;
  context.fillRect(middle - room / 2, y + 2, room, height - 4);
  context.fillStyle = context.strokeStyle;
  context.fillText(text, middle, y + height / 2 + 0.5);
}

function drawValue(
  view: View,
  text: string,
  isOther: boolean,
  x: number,
  y: number,
  width: number,
  height: number,
) {
  const { context, palette } = view;
  if (text === 'not listed') {
    context.fillStyle = palette.line;
    context.fillRect(x, y + height / 2, width, 1);
    return;
  }
  context.strokeStyle = palette.edge;
  context.lineWidth = 1;
  if (isOther) hatch(view, x + 1, y, width - 2, height);
  context.strokeRect(x + 1.5, y + 0.5, width - 3, height - 1);
  context.font = MONO;
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  const start = Math.max(x, 0) + 5;
  const room = x + width - start - 4;
  const shown = fit(context, text, room);
  if (shown === '') return;
  context.fillStyle = palette.ground;
  context.fillRect(start - 2, y + 2, context.measureText(shown).width + 4, height - 4);
  context.fillStyle = palette.ink;
  context.fillText(shown, start, y + height / 2 + 0.5);
}

/** The end of a value tells more than its beginning. */
function fit(context: CanvasRenderingContext2D, text: string, room: number): string {
  const wide = context.measureText('0').width;
  const most = Math.floor(room / wide);
  if (text.length <= most) return text;
  return most < 3 ? '' : `…${text.slice(1 - most)}`;
}

function drawWanted(view: View, lane: BitLane, y: number): void {
  const wants = (column: number): boolean => {
    const state = stateAt(lane, column);
    return state === 'set' || state === 'lost';
  };
  const { context, palette } = view;
  context.fillStyle = palette.muted;
  eachSpan(
    view,
    (column) => String(wants(column)),
    (from, to) => {
      const x = xOf(view, from);
      const high = wants(from);
      context.fillRect(x, high ? y : y + WANTED_HEIGHT - 4, (to - from) * view.stepWidth, 1.5);
      if (from > 0) context.fillRect(x, y, 1.5, WANTED_HEIGHT - 3);
    },
  );
}

/** ★ is after its step, ▲ at it. */
function drawMarks(view: View): void {
  const { context, run, layout, palette, stepWidth } = view;
  const marks = [
    { column: run.pointOfNoReturn, glyph: '★', dash: [5, 4] },
    { column: run.parting, glyph: '≠', dash: [5, 4] },
    { column: run.firstViolation, glyph: '▲', dash: [] },
  ];
  for (const { column, glyph, dash } of marks) {
    if (column === undefined) continue;
    const x = xOf(view, column);
    context.strokeStyle = palette.stuck;
    context.lineWidth = 1.5;
    context.setLineDash(dash);
    context.beginPath();
    context.moveTo(x, AXIS_HEIGHT);
    context.lineTo(x, layout.height);
    context.stroke();
    context.setLineDash([]);
    context.font = 'bold 13px system-ui, sans-serif';
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillStyle = palette.stuck;
    context.fillText(glyph, x + stepWidth / 2, 45);
  }
}

/** The cursor on a canvas of its own, so that moving it draws nothing else. */
export function drawCursor(view: View, cursor: LaneCursor, lane: Placed | undefined): void {
  const { context, width, layout, palette, stepWidth } = view;
  const { step, origin, bookmarks } = cursor;
  context.clearRect(0, 0, width, layout.height);
  for (const [at, marked] of bookmarks.entries()) {
    if (marked !== undefined) drawFlag(view, marked, String(at + 1));
  }
  const x = xOf(view, step);
  context.strokeStyle = palette.focus;
  context.lineWidth = 2;
  context.strokeRect(x + 1, 1, Math.max(2, stepWidth - 2), layout.height - 2);
  if (lane === undefined) return;
  const y = lane.top + lane.height / 2;
  context.globalAlpha = 0.14;
  context.fillStyle = palette.accent;
  context.fillRect(0, lane.top, width, lane.height);
  context.globalAlpha = 1;
  context.strokeStyle = palette.accent;
  context.fillStyle = palette.accent;
  let to = step;
  for (const from of origin) {
    if (from !== to) arc(view, from, to, y, lane.height);
    to = from;
  }
}

/** In the place of the number, which is said elsewhere. */
function drawFlag(view: View, step: number, digit: string): void {
  const { context, palette, stepWidth } = view;
  const [x, width] = [xOf(view, step), Math.max(12, stepWidth)];
  context.fillStyle = palette.accent;
  context.fillRect(x + 1, 2, width - 2, 17);
  context.font = 'bold 11px system-ui, sans-serif';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.fillStyle = palette.ground;
  context.fillText(width < 24 ? digit : `⚑${digit}`, x + width / 2, 11);
}

function arc(view: View, from: number, to: number, y: number, height: number): void {
  const { context, stepWidth } = view;
  const [start, end] = [xOf(view, from) + stepWidth / 2, xOf(view, to) + stepWidth / 2];
  context.beginPath();
  context.moveTo(start, y);
  context.quadraticCurveTo((start + end) / 2, y - height * 1.6, end, y);
  context.stroke();
  context.beginPath();
  context.arc(start, y, 4, 0, 2 * Math.PI);
  context.fill();
}
