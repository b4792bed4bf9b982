/** What can be done next: each event, vCPU and CPU with buttons for what its state allows. */
import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { post, remove } from '../api/client.js';
import { useKeys } from '../frame/keys.js';
import type { Doing } from './host.js';
import type { Lab, PerfEvent, Vcpu } from './lab.js';
import { NewEvent } from './new-event.js';
import { nmisOf } from './nmi-strip.js';

interface Props {
  readonly lab: Lab;
  readonly doing: Doing;
}

/** How far an operation goes: to its end, or one micro-step. */
type Extent = { readonly micro_steps?: number };

export function ActsPanel({ lab, doing }: Props) {
  const small = useSignal(false);
  const extent: Extent = small.value ? { micro_steps: 1 } : {};
  const { host, events, vcpus } = lab;
  const path = { host: host.id };
  useStepKey(lab, doing);
  return (
    <section class="panel" aria-labelledby="acts">
      <header>
        <h2 id="acts">What next?</h2>
        <label class="choice">
          <input
            type="checkbox"
            checked={small.value}
            onChange={({ currentTarget }) => (small.value = currentTarget.checked)}
          />
          operations one micro-step at a time
        </label>
      </header>
      <div class="inside act-groups">
        <h3>vCPUs</h3>
        {vcpus.map((vcpu) => (
          <VcpuActs key={vcpu.id} vcpu={vcpu} host={host.id} doing={doing} />
        ))}
        <div class="row">
          {lab.cpus.map(({ cpu }) => (
            <button
              type="button"
              class="small"
              key={cpu}
              onClick={() => doing(() => post('/v1/hosts/{host}/vcpus', { path, body: { cpu } }))}
            >
              Add a vCPU{host.cpus > 1 && ` on CPU ${cpu}`}
            </button>
          ))}
        </div>
        <h3>perf events</h3>
        {events.map((event) => (
          <EventActs key={event.id} event={event} host={host.id} extent={extent} doing={doing} />
        ))}
        <NewEvent host={host} extent={extent} doing={doing} />
        {lab.cpus.map(({ cpu }) => (
          <CpuActs key={cpu} lab={lab} cpu={cpu} extent={extent} doing={doing} />
        ))}
      </div>
    </section>
  );
}

/** `s` is the button that is pressed most. */
function useStepKey(lab: Lab, doing: Doing): void {
  const vcpu = lab.vcpus[0]?.id;
  const host = lab.host.id;
  const list = useMemo(
    () =>
      vcpu === undefined
        ? []
        : [
            { key: 's', does: 'one micro-step of the first vCPU', act: () => step('micro_step') },
            { key: 'r', does: 'a round trip of the first vCPU', act: () => step('round_trip') },
          ],
    [vcpu],
  );
  const step = (kind: 'micro_step' | 'round_trip'): void =>
    doing(() =>
      post('/v1/hosts/{host}/vcpus/{vcpu}/transitions', {
        path: { host, vcpu: vcpu! },
        body: { kind },
      }),
    );
  useKeys(list);
}

const KINDS = [
  ['micro_step', 'Micro-step'],
  ['vm_entry', 'To the guest'],
  ['vm_exit', 'Out of the guest'],
  ['round_trip', 'Round trip'],
] as const;

function VcpuActs(props: { readonly vcpu: Vcpu; readonly host: string; readonly doing: Doing }) {
  const { vcpu, host, doing } = props;
  const { id, name, cpu, position } = vcpu;
  const path = { host, vcpu: id };
  const isInGuest = position === 'guest';
  const isPossible = {
    micro_step: true,
    vm_entry: !isInGuest,
    vm_exit: isInGuest,
    round_trip: true,
  };
  return (
    <div class="act-row">
      <span>
        {name ?? id} <span class="muted">CPU {cpu}, at</span> <code>{position}</code>
      </span>
      <div class="row">
        {KINDS.filter(([kind]) => isPossible[kind]).map(([kind, label]) => (
          <button
            type="button"
            class="small"
            key={kind}
            onClick={() =>
              doing(() =>
                post('/v1/hosts/{host}/vcpus/{vcpu}/transitions', { path, body: { kind } }),
              )
            }
          >
            {label}
          </button>
        ))}
        <button
          type="button"
          class="small"
          aria-label={`Remove ${name ?? id}`}
          onClick={() => doing(() => remove('/v1/hosts/{host}/vcpus/{vcpu}', { path }))}
        >
          Remove
        </button>
      </div>
    </div>
  );
}

interface EventProps {
  readonly event: PerfEvent;
  readonly host: string;
  readonly extent: Extent;
  readonly doing: Doing;
}

function EventActs({ event, host, extent, doing }: EventProps) {
  const { id, name, counter, requested_counter, state, owner, precise_ip, cpu } = event;
  const path = { host, event: id };
  const where = counter ?? requested_counter ?? 'no counter';
  return (
    <div class="act-row">
      <span>
        {name ?? id} <code>{where}</code> <strong>{state}</strong>{' '}
        <span class="muted">
          CPU {cpu}, {precise_ip > 0 ? `PEBS, precise ${precise_ip}` : 'no PEBS'}
          {owner !== 'host' && `, of ${owner}`}
        </span>
      </span>
      {owner === 'host' && (
        <div class="row">
          {state === 'off' ? (
            <button
              type="button"
              class="small"
              onClick={() =>
                doing(() =>
                  post('/v1/hosts/{host}/perf-events/{event}/enable', { path, body: extent }),
                )
              }
            >
              Enable
            </button>
          ) : (
            <button
              type="button"
              class="small"
              onClick={() =>
                doing(() =>
                  post('/v1/hosts/{host}/perf-events/{event}/disable', { path, body: extent }),
                )
              }
            >
              Disable
            </button>
          )}
          <button
            type="button"
            class="small"
            aria-label={`Close ${name ?? id}`}
            onClick={() =>
              doing(() => remove('/v1/hosts/{host}/perf-events/{event}', { path, body: extent }))
            }
          >
            Close
          </button>
        </div>
      )}
    </div>
  );
}

interface CpuProps extends Props {
  readonly cpu: number;
  readonly extent: Extent;
}

function CpuActs({ lab, cpu, extent, doing }: CpuProps) {
  const path = { host: lab.host.id };
  const body = { cpu, ...extent };
  const acts: [string, () => Promise<unknown>][] = [
    ...nmisOf(lab, cpu).map(({ label, nmi }): [string, () => Promise<unknown>] => [
      label,
      () => post('/v1/hosts/{host}/nmis', { path, body: { cpu, ...nmi } }),
    ]),
    ['Tick', () => post('/v1/hosts/{host}/ticks', { path, body })],
    ['PMU disable', () => post('/v1/hosts/{host}/pmu/disable', { path, body })],
    ['PMU enable', () => post('/v1/hosts/{host}/pmu/enable', { path, body })],
    ['Advance', () => post('/v1/hosts/{host}/advance', { path, body })],
  ];
  return (
    <>
      <h3>CPU {cpu}</h3>
      <div class="row">
        {acts.map(([label, act]) => (
          <button type="button" class="small" key={label} onClick={() => doing(act)}>
            {label}
          </button>
        ))}
      </div>
    </>
  );
}
