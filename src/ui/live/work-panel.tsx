/** The newest searches or campaigns, one below the other. */
import type { ComponentChildren, ComponentType } from 'preact';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { Waiting } from '../widgets/waiting.js';
import type { WorkList } from './work.js';

interface Props<T> {
  readonly id: string;
  readonly title: string;
  readonly list: WorkList<T>;
  readonly Row: ComponentType<{ readonly item: T; readonly list: WorkList<T> }>;
  /** Shown where there is none; lines stand in while they are loading. */
  readonly none: ComponentChildren;
  readonly lines: number;
}

export function WorkPanel<T extends { readonly id: string }>(props: Props<T>) {
  const { id, title, list, Row, none, lines } = props;
  const { items, problem, reload } = list;
  return (
    <section class="panel" aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {list.hasMore && items !== undefined && (
          <span class="muted">the newest {items.length}</span>
        )}
      </header>
      {problem !== undefined && <ProblemPanel problem={problem} retry={reload} />}
      {items === undefined && problem === undefined && (
        <div class="inside">
          <Waiting what={`The ${id} are loading`} lines={lines} />
        </div>
      )}
      {items?.length === 0 && <p class="inside muted">{none}</p>}
      <ul class="work">
        {items?.map((item) => (
          <Row key={item.id} item={item} list={list} />
        ))}
      </ul>
    </section>
  );
}
