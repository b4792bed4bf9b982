/** Where places stand on the map: a row for each operation of the CPU, and in it the order of the kernel's own flow. */
import type { Api } from '../api/client.js';

type MapNode = Api['MapNode'];

export interface Place {
  readonly node: MapNode;
  readonly index: number;
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

export interface MapLayout {
  readonly places: readonly Place[];
  readonly rows: readonly { readonly name: string; readonly y: number }[];
  readonly width: number;
  readonly height: number;
}

const STEP = 34;
const ROW = 64;
export const LEFT = 16;
const TOP = 30;
const RADIUS_MIN = 5;
const RADIUS_MAX = 13;

export function layOutMap(
  nodes: readonly MapNode[],
  order: ReadonlyMap<string, number>,
): MapLayout {
  const rank = ({ micro_step }: MapNode): number => order.get(micro_step) ?? -1;
  const operations = [...new Set(nodes.map(({ operation }) => operation))];
  const most = Math.max(...nodes.map(({ states }) => states), 2);
  const places: Place[] = [];
  const rows = operations.map((operation, row) => {
    const y = TOP + row * ROW + ROW / 2;
    const own = nodes.flatMap((node, index) =>
      node.operation === operation ? [{ node, index }] : [],
    );
    own.sort((a, b) => rank(a.node) - rank(b.node));
    for (const [at, { node, index }] of own.entries()) {
      const share = Math.log(1 + node.states) / Math.log(1 + most);
      const radius = RADIUS_MIN + (RADIUS_MAX - RADIUS_MIN) * share;
      places.push({ node, index, x: LEFT + at * STEP + STEP / 2, y, radius });
    }
    return { name: operation, y };
  });
  places.sort((a, b) => a.index - b.index);
  const widest = Math.max(...places.map(({ x }) => x));
  return { places, rows, width: widest + STEP, height: TOP + rows.length * ROW };
}
