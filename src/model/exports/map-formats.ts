/** The map of an exploration as a graph for other programs: DOT for Graphviz, GraphML for Gephi, yEd and Cytoscape. */

export interface MapGraph {
  readonly nodes: readonly {
    readonly micro_step: string;
    readonly operation: string;
    readonly states: number;
    readonly doomed: number | null;
    readonly violating: number | null;
  }[];
  /** Between places in `nodes`. */
  readonly edges: readonly {
    readonly from: number;
    readonly to: number;
    readonly transitions: number;
  }[];
}

export function toDot({ nodes, edges }: MapGraph): string {
  const lines = [
    ...nodes.map(({ micro_step, operation, states, doomed, violating }, at) => {
      const judged = violating ? ', color=red' : doomed ? ', color=orange' : '';
      const label = `${micro_step}\\n${operation}\\n${states}`;
      return `  ${at} [label="${label.replaceAll('"', '\\"')}"${judged}];`;
    }),
    ...edges.map(({ from, to, transitions }) => `  ${from} -> ${to} [label="${transitions}"];`),
  ];
  return `digraph {\n  node [shape=box];\n${lines.join('\n')}\n}\n`;
}

/** The attributes of nodes, with their types. */
const KEYS = [
  ['micro_step', 'string'],
  ['operation', 'string'],
  ['states', 'long'],
  ['doomed', 'long'],
  ['violating', 'long'],
] as const;

export function toGraphMl({ nodes, edges }: MapGraph): string {
  const lines = [
    ...KEYS.map(
      ([name, type]) => `  <key id="${name}" for="node" attr.name="${name}" attr.type="${type}"/>`,
    ),
    '  <key id="transitions" for="edge" attr.name="transitions" attr.type="long"/>',
    '  <graph edgedefault="directed">',
    ...nodes.map((node, at) => {
      const data = KEYS.map(([name]) =>
        node[name] === null ? '' : `<data key="${name}">${escaped(String(node[name]))}</data>`,
      );
      return `    <node id="n${at}">${data.join('')}</node>`;
    }),
    ...edges.map(
      ({ from, to, transitions }) =>
        `    <edge source="n${from}" target="n${to}"><data key="transitions">${transitions}</data></edge>`,
    ),
    '  </graph>',
  ];
  const root = '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">';
  return `<?xml version="1.0" encoding="UTF-8"?>\n${root}\n${lines.join('\n')}\n</graphml>\n`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
