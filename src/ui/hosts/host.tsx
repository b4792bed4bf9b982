/** One host: what can be done next on it, its registers, its timeline and what a round trip costs. */
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { remove } from '../api/client.js';
import { asProblem, type Problem } from '../api/problem.js';
import { curl, useHeader } from '../frame/header-content.js';
import { addressOfPlace, go } from '../router.js';
import { ProblemPanel } from '../widgets/problem-panel.js';
import { WaitingScreen } from '../widgets/waiting.js';
import { ActsPanel } from './acts-panel.js';
import { Counts } from './counts.js';
import { HostRun } from './host-run.js';
import { type Lab, useLab } from './lab.js';
import { NmiStrip } from './nmi-strip.js';
import { Registers } from './registers.js';

/** Does something to the host, shows its refusal if there is one, and reads the host again. */
export type Doing = (what: () => Promise<unknown>) => void;

export function HostView({ id }: { readonly id: string }) {
  const lab = useLab(id);
  const { value, problem, reload } = lab;
  if (value !== undefined) return <There lab={value} lost={problem} reload={reload} />;
  if (problem === undefined) return <WaitingScreen what="The host is loading" />;
  return <NoHost problem={problem} retry={reload} />;
}

function NoHost({ problem, retry }: { readonly problem: Problem; readonly retry: () => void }) {
  useHeader({ title: 'No such host' });
  return (
    <div class="screen">
      <ProblemPanel problem={problem} retry={retry} />
      <p>
        <a href="/ui/hosts">All hosts</a>
      </p>
    </div>
  );
}

interface Props {
  readonly lab: Lab;
  /** Why it could not be read again: what is shown is from before. */
  readonly lost: Problem | undefined;
  readonly reload: () => void;
}

function There({ lab, lost, reload }: Props) {
  const { host, metrics } = lab;
  const problem = useSignal<Problem | undefined>(undefined);
  /** One after the other, in the order of the clicks. */
  const line = useRef<Promise<unknown>>(Promise.resolve());
  const waiting = useSignal(0);
  const address = `/v1/hosts/${host.id}`;
  useHeader({
    title: `${host.name ?? host.id} · ${host.kernel} · ${host.cpu_model}`,
    curl: [
      curl(`${address}/script`),
      curl(`${address}/msrs`),
      curl(`${address}/trace`, undefined, 'accept: text/plain'),
    ],
    take: (['vcd', 'chrome', 'ftrace', 'jsonl'] as const).map((format) => ({
      label: format,
      address: `${address}/trace?format=${format}`,
      name: `${host.id}.${format === 'chrome' ? 'trace.json' : format}`,
    })),
  });
  const doing: Doing = (what) => {
    waiting.value += 1;
    problem.value = undefined;
    line.current = line.current
      .then(what)
      .catch((error: unknown) => {
        problem.value = asProblem(error);
      })
      .finally(() => {
        waiting.value -= 1;
        if (waiting.value === 0) reload();
      });
  };
  const forget = async (): Promise<void> => {
    await remove('/v1/hosts/{host}', { path: { host: host.id } });
    go(addressOfPlace('/hosts'));
  };
  const violated = metrics.violations.map(({ invariant, count }) => `${invariant} ${count}×`);
  return (
    <div class="screen">
      <div class="host-head">
        <h1>{host.name ?? host.id}</h1>
        <span class="muted">
          {host.platform_class}, {host.isolation ? 'PEBS is isolated' : 'PEBS is not isolated'},
          microcode {host.microcode.replace(/^0x0+(?=.)/, '0x')}
        </span>
        <button type="button" class="small" onClick={() => doing(forget)}>
          Delete the host
        </button>
      </div>
      <p role="status" class={violated.length > 0 ? 'violated' : 'muted'}>
        {violated.length > 0 ? `▲ violated: ${violated.join(', ')}` : 'No invariant is violated.'}
      </p>
      {lost !== undefined && <ProblemPanel problem={lost} retry={reload} />}
      {problem.value !== undefined && <ProblemPanel problem={problem.value} />}
      <div class="host-body" aria-busy={waiting.value > 0}>
        <ActsPanel lab={lab} doing={doing} />
        <Registers cpus={lab.cpus} />
      </div>
      {lab.vcpus.length > 0 && <NmiStrip lab={lab} doing={doing} />}
      <HostRun lab={lab} />
      <Counts metrics={metrics} />
    </div>
  );
}
