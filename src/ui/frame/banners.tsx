/** What concerns the whole page: the service asks to wait, or has another page by now. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { waitsUntil } from '../api/client.js';
import { connection } from '../api/events.js';
import { ROOT } from '../router.js';

export function Banners() {
  const isOld = useIsOld();
  return (
    <>
      {waitsUntil.value > 0 && (
        <div class="banner" role="status">
          The service is busy and asked to wait; what is missing is asked for again by itself.
        </div>
      )}
      {isOld && (
        <div class="banner" role="status">
          The service has been updated since this page was opened.
          <button type="button" onClick={() => window.location.reload()}>
            Reload
          </button>
        </div>
      )}
    </>
  );
}

/** Whether the service now sends another page than this one; looked at whenever the connection comes back. */
function useIsOld(): boolean {
  const isOld = useSignal(false);
  const isLive = connection.value === 'live';
  useEffect(() => {
    const own = document.querySelector<HTMLScriptElement>('script[type=module]')?.src;
    if (!isLive || own === undefined) return;
    fetch(`${ROOT}/`, { cache: 'no-cache' })
      .then((response) => response.text())
      .then((page) => {
        isOld.value = !page.includes(new URL(own).pathname);
      })
      .catch(() => undefined);
  }, [isLive]);
  return isOld.value;
}
