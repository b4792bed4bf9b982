/** Hands a trace to Perfetto in a tab of its own; it is the only other site that the page ever opens, and only when asked. */
const VIEWER = 'https://ui.perfetto.dev';
const ASK_MILLIS = 50;
const GIVE_UP_MILLIS = 60_000;

/** Must be called while a click is handled, with the trace at hand, or browsers take it for an advertisement. */
export function openInPerfetto(trace: ArrayBuffer, title: string): void {
  const viewer = window.open(VIEWER);
  if (viewer === null) return;
  const asking = setInterval(() => viewer.postMessage('PING', VIEWER), ASK_MILLIS);
  const end = (): void => {
    clearInterval(asking);
    window.removeEventListener('message', hear);
  };
  const hear = ({ source, data }: MessageEvent): void => {
    if (source !== viewer || data !== 'PONG') return;
    end();
    const perfetto = { buffer: trace, title, url: window.location.href };
    viewer.postMessage({ perfetto }, VIEWER);
  };
  window.addEventListener('message', hear);
  setTimeout(end, GIVE_UP_MILLIS);
}
