/** Asks for an access token when the service wants one. */
import { useSignal } from '@preact/signals';
import { forgetToken, type Question } from '../api/token.js';
import { Dialog } from '../widgets/dialog.js';

export function TokenDialog({ question }: { readonly question: Question }) {
  const typed = useSignal('');
  const submit = (event: Event): void => {
    event.preventDefault();
    const token = typed.value.trim();
    if (token === '') return;
    question.answer(token);
  };
  return (
    <Dialog
      title="This service asks for an access token"
      close={() => {
        forgetToken();
        question.giveUp();
      }}
    >
      <form onSubmit={submit} class="dialog">
        <p>{question.detail}</p>
        <label class="row">
          Access token
          <input
            type="password"
            autocomplete="off"
            value={typed.value}
            onInput={({ currentTarget }) => {
              typed.value = currentTarget.value;
            }}
          />
        </label>
        <p class="muted">It is kept for this tab only, and sent to this service only.</p>
        <div class="row">
          <button type="submit" class="primary">
            Use it
          </button>
        </div>
      </form>
    </Dialog>
  );
}
