/** Buttons that change a running search or campaign; a refusal stands beside them. */
import { useSignal } from '@preact/signals';
import { asProblem, type Problem } from '../api/problem.js';

export interface Act {
  readonly label: string;
  act(): Promise<void>;
}

/** Does one thing at a time; what it is refused stands until the next. */
export function useAct() {
  const problem = useSignal<Problem | undefined>(undefined);
  const isBusy = useSignal(false);
  const act = async (does: () => Promise<void>): Promise<void> => {
    isBusy.value = true;
    problem.value = undefined;
    try {
      await does();
    } catch (error) {
      problem.value = asProblem(error);
    }
    isBusy.value = false;
  };
  return { problem, isBusy, act };
}

/** `of` names what it is about, for those who do not see the row. */
export function Acts({ acts, of }: { readonly acts: readonly Act[]; readonly of: string }) {
  const { problem, isBusy, act } = useAct();
  return (
    <>
      <div class="row work-acts">
        {acts.map((one) => (
          <button
            type="button"
            class="small"
            key={one.label}
            disabled={isBusy.value}
            aria-label={`${one.label} ${of}`}
            onClick={() => act(one.act)}
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
