/** A list of things as a table; on a narrow screen each is a card whose cells say what they are. */
import type { ComponentChildren } from 'preact';
import { Fragment } from 'preact';

interface Props {
  readonly caption?: string;
  readonly heads: readonly string[];
  readonly rows: readonly {
    readonly key: string;
    /** The first names the row. */
    readonly cells: readonly ComponentChildren[];
    /** What is opened under it. */
    readonly below?: ComponentChildren;
  }[];
}

export function List({ caption, heads, rows }: Props) {
  return (
    <table class="list">
      {caption !== undefined && <caption>{caption}</caption>}
      <thead>
        <tr>
          {heads.map((head) => (
            <th scope="col" key={head}>
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(({ key, cells: [name, ...cells], below }) => (
          <Fragment key={key}>
            <tr>
              <th scope="row">{name}</th>
              {cells.map((cell, at) => (
                <td key={heads[at + 1]} data-label={heads[at + 1]}>
                  {cell}
                </td>
              ))}
            </tr>
            {below !== undefined && (
              <tr>
                <td colSpan={heads.length}>{below}</td>
              </tr>
            )}
          </Fragment>
        ))}
      </tbody>
    </table>
  );
}
