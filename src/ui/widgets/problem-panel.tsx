/** Why something is not there, as the service says it. */
import type { Problem } from '../api/problem.js';
import { CopyButton } from './copy.js';

interface Props {
  readonly problem: Problem;
  readonly retry?: () => void;
}

export function ProblemPanel({ problem, retry }: Props) {
  const { title, message, fields, requestId } = problem;
  return (
    <div class="problem" role="alert">
      <h2>{title}</h2>
      <p>{message}</p>
      {fields.length > 0 && (
        <ul>
          {fields.map(({ pointer, detail }) => (
            <li key={pointer + detail}>
              <code>{pointer || 'the body'}</code> {detail}
            </li>
          ))}
        </ul>
      )}
      <div class="row">
        {retry !== undefined && (
          <button type="button" onClick={retry}>
            Try again
          </button>
        )}
        {requestId !== undefined && (
          <CopyButton text={requestId} label={`Copy request id ${requestId}`} />
        )}
      </div>
    </div>
  );
}

/** What the service says of one field of a form, to stand next to it. */
export function FieldProblem(props: {
  readonly problem: Problem | undefined;
  readonly at: string;
}) {
  const found = props.problem?.fields.find(({ pointer }) => pointer === props.at);
  if (found === undefined) return null;
  return <p class="field-problem">{found.detail}</p>;
}
