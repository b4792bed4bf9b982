/** The states around this one, as a tree of what can happen; a state that stands there already is only referred to. */
import type { Api } from '../api/client.js';
import { ACTOR_GLYPHS } from '../widgets/actor.js';
import { RegionMark } from './region.js';

type Around = Api['Neighbourhood'];

interface Props {
  readonly root: string;
  readonly around: Around;
  readonly place: (path: string) => string;
}

interface Branch {
  readonly action: string;
  readonly actor: Around['edges'][number]['actor'];
  readonly node: Around['nodes'][number];
  /** Undefined where the state stands elsewhere in the tree. */
  readonly branches: readonly Branch[] | undefined;
}

/** Each state is unfolded once, where it is nearest; steps that change nothing are counted and not drawn. */
function treeOf(root: string, { nodes, edges }: Around): { branches: Branch[]; loops: number } {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const unfolded = new Set([root]);
  const grow = (id: string, depth: number): Branch[] => {
    const out = edges.filter(({ from, to }) => from === id && to !== id);
    const isNew = out.map(({ to }) => byId.get(to)?.distance === depth + 1 && !unfolded.has(to));
    for (const { to } of out) unfolded.add(to);
    return out.flatMap(({ to, action, actor }, at) => {
      const node = byId.get(to);
      if (node === undefined) return [];
      return [{ action, actor, node, branches: isNew[at] ? grow(to, depth + 1) : undefined }];
    });
  };
  return { branches: grow(root, 0), loops: edges.filter(({ from, to }) => from === to).length };
}

export function Neighbourhood({ root, around, place }: Props) {
  const { branches, loops } = treeOf(root, around);
  return (
    <section class="panel" aria-label="Neighbourhood">
      <header>
        <h2>Two steps on</h2>
        <span class="muted">
          {around.nodes.length} states{around.complete ? '' : ', not all'}
          {loops > 0 && ` · ⟲ ${loops} steps change nothing`}
        </span>
      </header>
      <div class="inside">
        <Tree branches={branches} place={place} />
      </div>
    </section>
  );
}

interface TreeProps {
  readonly branches: readonly Branch[];
  readonly place: (path: string) => string;
}

function Tree({ branches, place }: TreeProps) {
  return (
    <ul class="tree">
      {branches.map(({ action, actor, node, branches: further }) => (
        <li key={node.id + action}>
          <a href={place(node.path)} data-near>
            <span aria-hidden="true">{ACTOR_GLYPHS[actor]}</span> {action}{' '}
            <code>{node.cpus.map(({ micro_step }) => micro_step).join(', ')}</code>
          </a>{' '}
          <RegionMark region={node.region} steps={node.steps_to_violation} />
          {further === undefined && <span class="muted"> ↩ stands above</span>}
          {further !== undefined && further.length > 0 && <Tree branches={further} place={place} />}
        </li>
      ))}
    </ul>
  );
}
