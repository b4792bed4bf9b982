/** The bar at the top: which world is on screen, how to get the same elsewhere, and whether the service is heard of. */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { connection } from '../api/events.js';
import { CurlDialog } from './curl-dialog.js';
import { FindDialog } from './find-dialog.js';
import { headerContent } from './header-content.js';
import { useKeys } from './keys.js';
import { KeysDialog } from './keys-dialog.js';
import { nextScheme, scheme } from './scheme.js';
import { TakeDialog } from './take-dialog.js';

const STATES = {
  off: 'not connected',
  connecting: 'connecting',
  live: 'live',
  stale: 'silent',
  waiting: 'reconnecting',
} as const;

type Open = 'find' | 'curl' | 'take' | 'keys' | undefined;

export function Bar() {
  const { title, curl = [], take = [], link } = headerContent.value;
  const open = useSignal<Open>(undefined);
  // A dialog says late that it was closed, and another may be open by then.
  const closer = (which: Open) => (): void => {
    if (open.value === which) open.value = undefined;
  };
  const help = useMemo(
    () => [{ key: '?', does: 'this list', act: () => (open.value = 'keys') }],
    [],
  );
  useKeys(help);
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const isFind = event.key.toLowerCase() === 'k' && (event.ctrlKey || event.metaKey);
      if (!isFind || document.querySelector('dialog[open]') !== null) return;
      event.preventDefault();
      open.value = 'find';
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, []);
  return (
    <header class="bar">
      <div class="world">{title || 'pebslab'}</div>
      <button type="button" class="plain" onClick={() => (open.value = 'find')}>
        Find
      </button>
      {curl.length > 0 && (
        <button type="button" class="plain" onClick={() => (open.value = 'curl')}>
          curl
        </button>
      )}
      {(take.length > 0 || link !== undefined) && (
        <button type="button" class="plain" onClick={() => (open.value = 'take')}>
          Take along
        </button>
      )}
      <button
        type="button"
        class="plain"
        onClick={nextScheme}
        aria-label={`Colours: ${scheme.value}`}
      >
        <span aria-hidden="true">◑</span>
      </button>
      <button type="button" class="plain" onClick={() => (open.value = 'keys')} aria-label="Keys">
        <span aria-hidden="true">?</span>
      </button>
      <a href="/docs" class="button plain">
        API
      </a>
      <span class="connection" data-state={connection.value} role="status">
        <i />
        {STATES[connection.value]}
      </span>
      {open.value === 'find' && <FindDialog close={closer('find')} />}
      {open.value === 'curl' && <CurlDialog commands={curl} close={closer('curl')} />}
      {open.value === 'take' && (
        <TakeDialog title={title} take={take} link={link} close={closer('take')} />
      )}
      {open.value === 'keys' && <KeysDialog close={closer('keys')} />}
    </header>
  );
}
