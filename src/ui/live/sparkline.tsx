/** States a second as an area, and the frontier as a line above it, each against its own greatest value. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { colours } from '../frame/scheme.js';
import { readPalette } from '../timeline/palette.js';
import { type Sample, samples } from './samples.js';

const WIDTH = 160;
const HEIGHT = 28;

export function Sparkline({ id }: { readonly id: string }) {
  const holder = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const own = samples.value.get(id) ?? [];
  const isDrawn = own.length > 1;
  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!isDrawn || !context || holder.current === null) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.current!.width = WIDTH * ratio;
    canvas.current!.height = HEIGHT * ratio;
    context.scale(ratio, ratio);
    const { set, muted, raised } = readPalette(holder.current);
    const rate = pointsOf(own, ({ rate }) => rate);
    context.fillStyle = raised;
    trace(context, [[rate[0]![0], HEIGHT], ...rate, [WIDTH, HEIGHT]]);
    context.fill();
    context.strokeStyle = set;
    context.lineWidth = 1.5;
    trace(context, rate);
    context.stroke();
    context.strokeStyle = muted;
    context.setLineDash([3, 3]);
    trace(
      context,
      pointsOf(own, ({ frontier }) => frontier),
    );
    context.stroke();
  }, [own, colours.value]);
  if (!isDrawn) return null;
  return (
    <div class="sparkline" ref={holder} title="solid: states a second, dashed: frontier">
      <canvas ref={canvas} aria-hidden="true" />
    </div>
  );
}

type Point = readonly [number, number];

function pointsOf(own: readonly Sample[], read: (sample: Sample) => number): Point[] {
  const first = own[0]!.at;
  const span = Math.max(1, own.at(-1)!.at - first);
  const greatest = Math.max(1, ...own.map(read));
  return own.map((sample) => [
    ((sample.at - first) / span) * WIDTH,
    HEIGHT - 2 - (read(sample) / greatest) * (HEIGHT - 4),
  ]);
}

function trace(context: CanvasRenderingContext2D, points: readonly Point[]): void {
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
}
