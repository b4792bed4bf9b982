/** Buttons that change a running search or campaign; a refusal stands beside them. */
import { useSignal } from '@preact/signals';
import { asProblem, type Problem } from '../api/problem.js';

export interface Act {
  readonly label: string;
  act(): Promise<void>;
}

/** `of` names what it is about, for those who do not see the row. */
export function Acts({ acts, of }: { readonly acts: readonly Act[]; readonly of: string }) {
  const problem = useSignal<Problem | undefined>(undefined);
  const busy = useSignal(false);
  const run = async ({ act }: Act): Promise<void> => {
    busy.value = true;
    problem.value = undefined;
    try {
      await act();
    } catch (error) {
      problem.value = asProblem(error);
    }
    busy.value = false;
  };
  return (
    <>
      <div class="row work-acts">
        {acts.map((one) => (
          <button
            type="button"
            class="small"
            key={one.label}
            disabled={busy.value}
            aria-label={`${one.label} ${of}`}
            onClick={() => run(one)}
          >
            {one.label}
          </button>
        ))}
      </div>
      {problem.value !== undefined && (
        <p class="field-problem" role="alert">
          {problem.value.message}
        </p>
      )}
    </>
  );
}
