/** The picture at the top of the README: the page's timeline of a stuck bit, drawn by the page's own code, as SVG. */
import { readFile } from 'node:fs/promises';
import { build } from 'esbuild';
import type { FastifyInstance } from 'fastify';
import type { Counterexample } from '../../schemas/counterexample.js';
import { escaped, SvgCanvas } from './svg-canvas.js';

export const PICTURE = 'test/documents/stuck-bit.svg';
export const SCENARIO = 'matrix-linux-7.2.6-k3-late';

/** About as wide as GitHub shows it, so that the text keeps its size. */
const WIDTH = 840;
const NAMES_WIDTH = 156;
const TITLE_HEIGHT = 76;
const LEGEND_HEIGHT = 30;
const LEGEND =
  'thick: hardware · thin line below: what perf wants · ★ from here on unavoidable · ▲ violated';
const SANS = 'system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif';
const MONO = 'ui-monospace,"SF Mono","Cascadia Mono","DejaVu Sans Mono",Menlo,monospace';
const RULES = `text{dominant-baseline:central;font-family:${SANS}}.mono{font-family:${MONO}}.bold{font-weight:bold}`;

interface Layout {
  readonly actors: readonly string[];
  readonly lanes: readonly {
    readonly lane: { readonly label: string };
    readonly top: number;
    readonly height: number;
    readonly heading: string | undefined;
  }[];
  readonly height: number;
}

/** What is used of src/ui, which is compiled for browsers only. */
interface Timeline {
  readonly ACTOR_GLYPHS: Readonly<Record<string, string>>;
  readonly ACTOR_HEIGHT: number;
  readonly AXIS_HEIGHT: number;
  readonly GROUP_HEIGHT: number;
  decode(before: unknown, steps: unknown, property: string, pointOfNoReturn?: number): Run;
  stepOfCounterexample(step: unknown): unknown;
  lanesOf(run: Run): readonly unknown[];
  layOut(run: Run, lanes: readonly unknown[]): Layout;
  drawRun(view: object): void;
}

interface Run {
  readonly steps: readonly unknown[];
}

async function loadTimeline(): Promise<Timeline> {
  const { outputFiles } = await build({
    stdin: {
      contents: ['run', 'lanes', 'layout', 'draw', '../widgets/actor']
        .map((name) => `export * from './${name}.js';`)
        .join('\n'),
      resolveDir: 'src/ui/timeline',
    },
    tsconfig: 'src/ui/tsconfig.json',
    bundle: true,
    format: 'esm',
    write: false,
  });
  const code = Buffer.from(outputFiles[0]!.contents).toString('base64');
  return (await import(`data:text/javascript;base64,${code}`)) as Timeline;
}

async function findCounterexample(app: FastifyInstance): Promise<Counterexample> {
  const searched = await app.inject({
    method: 'POST',
    url: '/v1/explorations',
    headers: { prefer: 'wait=60' },
    payload: { scenario: SCENARIO },
  });
  const { id } = searched.json() as { readonly id: string };
  return (await app.inject(`/v1/explorations/${id}/counterexamples/I1-0`)).json();
}

/** A rule for each of the page's colours that is used. */
async function rulesOf(body: string): Promise<string> {
  const tokens = await readFile('src/ui/styles/tokens.css', 'utf8');
  const colours = [...tokens.matchAll(/--([\w-]+): light-dark\((#\w+), (#\w+)\)/g)];
  const rules = (scheme: 2 | 3): string =>
    colours
      .flatMap((colour) => [
        [`fill-${colour[1]}`, `fill:${colour[scheme]}`],
        [`line-${colour[1]}`, `fill:none;stroke:${colour[scheme]}`],
      ])
      .filter(([name]) => new RegExp(`class="${name}[" ]`).test(body))
      .map(([name, rule]) => `.${name}{${rule}}`)
      .join('');
  return `${RULES}${rules(2)}@media (prefers-color-scheme:dark){${rules(3)}}`;
}

/** What is wrong, how it came about, and where to find it. */
function titleOf(summary: string): SvgCanvas {
  const canvas = new SvgCanvas();
  const [what = '', why = ''] = summary.split(/: (.*)/);
  canvas.fillStyle = 'ink';
  canvas.font = 'bold 15px system-ui';
  canvas.fillText(what, 12, 18);
  canvas.font = '12px system-ui';
  for (const [row, part] of why.split(/(?<=;) /).entries()) {
    canvas.fillText(part, 12, 40 + 17 * row);
  }
  canvas.fillStyle = 'muted';
  canvas.font = '11px ui-monospace';
  canvas.textAlign = 'right';
  canvas.fillText(SCENARIO, WIDTH - 8, 18);
  return canvas;
}

/** The names are HTML on the page, so they are set here. */
function namesOf(timeline: Timeline, { actors, lanes, height }: Layout): SvgCanvas {
  const { ACTOR_GLYPHS, ACTOR_HEIGHT, AXIS_HEIGHT, GROUP_HEIGHT } = timeline;
  const canvas = new SvgCanvas();
  canvas.fillStyle = 'surface';
  canvas.fillRect(0, 0, NAMES_WIDTH, height);
  canvas.fillStyle = 'line';
  canvas.fillRect(NAMES_WIDTH - 1, 0, 1, height);
  canvas.font = '12px system-ui';
  canvas.fillStyle = 'muted';
  canvas.fillText('step', 12, 10);
  canvas.fillStyle = 'ink';
  for (const [row, actor] of actors.entries()) {
    const y = AXIS_HEIGHT + (row + 0.5) * ACTOR_HEIGHT;
    canvas.fillText(ACTOR_GLYPHS[actor]!, 12, y);
    canvas.fillText(actor, 28, y);
  }
  for (const { lane, top, height, heading } of lanes) {
    canvas.font = '12px system-ui';
    canvas.fillText(lane.label, 12, top + height / 2);
    if (heading === undefined) continue;
    canvas.font = '11px ui-monospace';
    canvas.fillText(heading, 12, top - GROUP_HEIGHT / 2);
  }
  return canvas;
}

export async function drawPicture(app: FastifyInstance): Promise<string> {
  const [timeline, found] = await Promise.all([loadTimeline(), findCounterexample(app)]);
  const steps = found.steps.map(timeline.stepOfCounterexample);
  const run = timeline.decode(
    found.registers_before,
    steps,
    found.property,
    found.point_of_no_return,
  );
  const layout = timeline.layOut(run, timeline.lanesOf(run));
  const context = new SvgCanvas();
  const width = WIDTH - NAMES_WIDTH;
  const palette = new Proxy({}, { get: (_, name) => name });
  timeline.drawRun({
    run,
    layout,
    palette,
    context,
    width,
    stepWidth: width / (run.steps.length + 1),
    left: 0,
  });
  const height = TITLE_HEIGHT + layout.height + LEGEND_HEIGHT;
  const legend = new SvgCanvas();
  legend.fillStyle = 'muted';
  legend.font = '12px system-ui';
  legend.fillText(LEGEND, 12, height - LEGEND_HEIGHT / 2);
  const body = [
    `<rect class="fill-ground" width="${WIDTH}" height="${height}"/>`,
    ...titleOf(found.summary).elements,
    `<g transform="translate(${NAMES_WIDTH} ${TITLE_HEIGHT})">`,
    ...context.elements,
    `</g><g transform="translate(0 ${TITLE_HEIGHT})">`,
    ...namesOf(timeline, layout).elements,
    '</g>',
    ...legend.elements,
  ].join('\n');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>${escaped(found.summary)}</title>
<style>${await rulesOf(body)}</style>
${body}
</svg>
`;
}
