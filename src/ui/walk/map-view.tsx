/** All states of the world on a map of the kernel's flow: as large for a million states as for a thousand. */
import { useMemo } from 'preact/hooks';
import { type Api, get } from '../api/client.js';
import { useLoaded } from '../load.js';
import { go, query, setQuery } from '../router.js';
import { useGrid } from '../widgets/grid.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { Waiting } from '../widgets/waiting.js';
import type { Exploration } from '../worlds/searches.js';
import { LEFT, layOutMap, type MapLayout, type Place } from './map-layout.js';

interface Props {
  readonly exploration: Exploration;
  readonly state: Api['WalkState'];
  readonly place: (path: string) => string;
}

export function MapView({ exploration, state, place }: Props) {
  const path = { exploration: exploration.id };
  const { cpus = 1 } = exploration.model;
  const cpu = Math.min(cpus - 1, Math.trunc(Number(query.value.get('cpu'))) || 0);
  const map = useLoaded(`${exploration.id} ${cpu}`, async (signal) => {
    const [map, steps] = await Promise.all([
      get('/v1/explorations/{exploration}/map', { path, query: { cpu }, signal }),
      get('/v1/micro-steps', { query: { limit: 100 }, signal }),
    ]);
    return { map, order: new Map(steps.items.map(({ id }, at) => [id, at])) };
  });
  if (map.problem !== undefined) return <ProblemPanel problem={map.problem} retry={map.reload} />;
  if (map.value === undefined) return <Waiting what="The map is being drawn" lines={6} />;
  const here = state.registers.find(({ cpu }) => cpu === map.value?.map.cpu);
  return <Drawn {...map.value} here={here} place={place} cpus={cpus} />;
}

interface DrawnProps {
  readonly map: Api['ExplorationMap'];
  readonly order: ReadonlyMap<string, number>;
  readonly here: Api['CpuRegisters'] | undefined;
  readonly place: (path: string) => string;
  readonly cpus: number;
}

function Drawn({ map, order, here, place, cpus }: DrawnProps) {
  const layout = useMemo(() => layOutMap(map.nodes, order), [map, order]);
  const states = map.nodes.reduce((sum, node) => sum + node.states, 0);
  return (
    <section class="panel" aria-label="Map">
      <header>
        <h2>Map of CPU {map.cpu}</h2>
        {cpus > 1 && <OtherCpus cpus={cpus} shown={map.cpu} />}
        <span class="muted">
          {map.nodes.length} places, {states.toLocaleString('en')} states,{' '}
          {map.complete ? 'complete' : 'cut by a bound'}
        </span>
      </header>
      <div class="map-scroller">
        <Picture map={map} layout={layout} here={here} place={place} />
      </div>
      <p class="inside muted map-key">
        Area: states there · hatched: some are past the point of no return · ▲ some violate · ring:
        here
      </p>
    </section>
  );
}

function OtherCpus({ cpus, shown }: { readonly cpus: number; readonly shown: number }) {
  return (
    <div class="row" role="group" aria-label="CPU of the map">
      {Array.from({ length: cpus }, (_, cpu) => (
        <button
          type="button"
          class="small"
          key={cpu}
          aria-pressed={cpu === shown}
          onClick={() => setQuery({ cpu: cpu === 0 ? undefined : cpu })}
        >
          CPU {cpu}
        </button>
      ))}
    </div>
  );
}

interface PictureProps {
  readonly map: Api['ExplorationMap'];
  readonly layout: MapLayout;
  readonly here: Api['CpuRegisters'] | undefined;
  readonly place: (path: string) => string;
}

function Picture({ map, layout, here, place }: PictureProps) {
  const { places, rows, width, height } = layout;
  const columns = Math.max(...rows.map(({ y }) => places.filter((one) => one.y === y).length));
  const { gridProps, cellProps } = useGrid<HTMLDivElement>(rows.length, columns);
  const isHere = ({ node }: Place): boolean =>
    node.micro_step === here?.micro_step && node.operation === here?.operation;
  return (
    <div {...gridProps} class="map" style={{ width, height }} role="grid" aria-label="Places">
      <svg class="map-lines" width={width} height={height} aria-hidden="true">
        <defs>
          <pattern
            id="doomed"
            width="6"
            height="6"
            patternUnits="userSpaceOnUse"
            patternTransform="rotate(45)"
          >
            <path d="M0 0V6" class="hatch" />
          </pattern>
        </defs>
        {map.edges.map(({ from, to }) =>
          from === to ? null : <path key={`${from}-${to}`} d={edge(places[from]!, places[to]!)} />,
        )}
      </svg>
      {rows.map(({ name, y }, row) => (
        <div role="row" key={name}>
          <span role="rowheader" class="map-row" style={{ top: y - 34, left: LEFT }}>
            {name.replaceAll('_', ' ')}
          </span>
          {places
            .filter((one) => one.y === y)
            .sort((a, b) => a.x - b.x)
            .map((one, column) => (
              <span role="gridcell" key={one.index}>
                <Dot
                  place={one}
                  isHere={isHere(one)}
                  cell={cellProps(row, column)}
                  go={() => go(place(one.node.shallowest), { isNear: true })}
                />
              </span>
            ))}
        </div>
      ))}
    </div>
  );
}

/** A line to the next place, an arc to any other. */
function edge(from: Place, to: Place): string {
  const isNext = from.y === to.y && to.x > from.x && to.x - from.x < 40;
  if (isNext) return `M${from.x} ${from.y}H${to.x}`;
  const [x, y] = [(from.x + to.x) / 2, (from.y + to.y) / 2];
  const bend = from.y === to.y ? 12 + Math.abs(to.x - from.x) / 14 : 0;
  return `M${from.x} ${from.y}Q${x} ${y + bend} ${to.x} ${to.y}`;
}

interface DotProps {
  readonly place: Place;
  readonly isHere: boolean;
  readonly cell: object;
  go(): void;
}

function Dot({ place: { node, x, y, radius }, isHere, cell, go }: DotProps) {
  const { micro_step, operation, states, doomed, violating } = node;
  const words = [
    `${micro_step} in ${operation}: ${states} states`,
    doomed ? `${doomed} past the point of no return` : '',
    violating ? `${violating} violate` : '',
    isHere ? 'here' : '',
  ];
  return (
    <button
      type="button"
      class="dot"
      style={{ left: x - 14, top: y - 14 }}
      title={words.filter((word) => word !== '').join(', ')}
      aria-label={words.filter((word) => word !== '').join(', ')}
      aria-current={isHere ? 'location' : undefined}
      onClick={go}
      {...cell}
    >
      <svg viewBox="-14 -14 28 28" aria-hidden="true">
        <circle r={radius} class="area" />
        {(doomed ?? 0) > 0 && <circle r={radius} fill="url(#doomed)" />}
        {isHere && <circle r="13" class="ring" />}
        {(violating ?? 0) > 0 && (
          <text y="4.5" text-anchor="middle" class="mark">
            ▲
          </text>
        )}
      </svg>
      <span class="dot-name" aria-hidden="true">
        {micro_step.split(/[_:]/)[0]}
      </span>
    </button>
  );
}
