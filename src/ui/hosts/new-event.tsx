/** Opens a perf event: counter, precision and which side it leaves out. */
import { useSignal } from '@preact/signals';
import { post } from '../api/client.js';
import type { Doing } from './host.js';
import type { Host } from './lab.js';

interface Props {
  readonly host: Host;
  readonly extent: { readonly micro_steps?: number };
  readonly doing: Doing;
}

const SIDES = [
  ['host', 'the host only', { exclude_guest: true }],
  ['guest', 'the guest only', { exclude_host: true }],
  ['both', 'host and guest', {}],
] as const;

const COUNTERS = ['any', 'PMC0', 'PMC1', 'PMC2', 'PMC3', 'FIXED0', 'FIXED1'] as const;

export function NewEvent({ host, extent, doing }: Props) {
  const counter = useSignal<string>('PMC0');
  const precise = useSignal('2');
  const side = useSignal<string>('host');
  const cpu = useSignal('0');
  const open = (event: Event): void => {
    event.preventDefault();
    const body = {
      ...(counter.value === 'any' ? {} : { counter: counter.value }),
      ...(host.cpus > 1 ? { cpu: Number(cpu.value) } : {}),
      precise_ip: Number(precise.value),
      ...SIDES.find(([id]) => id === side.value)?.[2],
      ...extent,
    };
    doing(() => post('/v1/hosts/{host}/perf-events', { path: { host: host.id }, body }));
  };
  return (
    <form class="row" onSubmit={open}>
      <Choice label="Counter" value={counter} options={COUNTERS} />
      <Choice
        label="Precision"
        value={precise}
        options={['0', '1', '2', '3']}
        words={(value) => (value === '0' ? 'no PEBS' : `PEBS, precise ${value}`)}
      />
      <Choice
        label="Counts in"
        value={side}
        options={SIDES.map(([id]) => id)}
        words={(value) => SIDES.find(([id]) => id === value)?.[1] ?? value}
      />
      {host.cpus > 1 && (
        <Choice
          label="CPU"
          value={cpu}
          options={Array.from({ length: host.cpus }, (_, at) => String(at))}
          words={(value) => `CPU ${value}`}
        />
      )}
      <button type="submit" class="small">
        Open the event
      </button>
    </form>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: { value: string };
  readonly options: readonly string[];
  readonly words?: (value: string) => string;
}

function Choice({ label, value, options, words = (one) => one }: ChoiceProps) {
  return (
    <select
      class="small"
      aria-label={label}
      onChange={({ currentTarget }) => {
        value.value = currentTarget.value;
      }}
    >
      {options.map((option) => (
        <option key={option} value={option} selected={option === value.value}>
          {words(option)}
        </option>
      ))}
    </select>
  );
}
