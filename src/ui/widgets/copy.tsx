/** Copies text; says for a moment that it did. */
import { useSignal } from '@preact/signals';

const TOLD_MILLIS = 1500;

export function CopyButton({ text, label }: { readonly text: string; readonly label: string }) {
  const told = useSignal('');
  const act = async (): Promise<void> => {
    told.value = (await copy(text)) ? 'Copied' : 'Select it and copy by hand';
    setTimeout(() => {
      told.value = '';
    }, TOLD_MILLIS);
  };
  return (
    <button type="button" onClick={act}>
      <span aria-live="polite">{told.value || label}</span>
    </button>
  );
}

/** Over plain HTTP from another machine, browsers have no clipboard for pages: then the old way is tried. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    (document.querySelector('dialog[open]') ?? document.body).append(area);
    area.select();
    const isDone = document.execCommand('copy');
    area.remove();
    return isDone;
  }
}
