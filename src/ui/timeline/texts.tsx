/** A run as text: the story for people, and the script that replays it on a host. */
import { get, send } from '../api/client.js';
import { curl } from '../frame/header-content.js';
import { useLoaded } from '../load.js';
import { CopyButton } from '../widgets/copy.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { Waiting } from '../widgets/waiting.js';

export type Counterexample = Awaited<ReturnType<typeof getCounterexample>>;

interface Ids {
  readonly exploration: string;
  readonly counterexample: string;
}

export function getCounterexample(path: Ids, signal: AbortSignal) {
  return get('/v1/explorations/{exploration}/counterexamples/{counterexample}', { path, signal });
}

export function Story({ route }: { readonly route: string }) {
  const { value, problem, reload } = useLoaded(`story ${route}`, async (signal) =>
    (await send('GET', `${route}?format=text`, { signal }, '*/*')).text(),
  );
  if (problem !== undefined) return <ProblemPanel problem={problem} retry={reload} />;
  if (value === undefined) return <Waiting what="The story is loading" lines={12} />;
  return (
    <div class="as-text">
      <CopyButton text={value} label="Copy" />
      <pre class="text" tabIndex={0} role="region" aria-label="Story">
        {value}
      </pre>
    </div>
  );
}

export function Script({ host, script }: Counterexample) {
  const actions = JSON.stringify({ actions: script }, null, 2);
  const make = `HOST=$(${curl('/v1/hosts', host)} | grep -o 'host_[0-9a-z]*')`;
  const replay = curl('/v1/hosts/HOST/scripts', { actions: script }).replace('/HOST/', '/$HOST/');
  return (
    <div class="as-text">
      <p>
        The same on a host of your own: make one with {host.kernel} on {host.cpu_model}, and let it
        run this script. It ends in the same violation.
      </p>
      <CopyButton text={`${make}\n${replay}`} label="Copy both commands" />
      <pre class="text">
        <code>{`${make}\n${replay}`}</code>
      </pre>
      <CopyButton text={actions} label="Copy the script" />
      <pre class="text" tabIndex={0} role="region" aria-label="Script">
        <code>{actions}</code>
      </pre>
    </div>
  );
}
