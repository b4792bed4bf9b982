/** Hosts that the version before stored (`format-1-hosts.json`, made with it) are read, and go on as they should. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import type { ScriptAction } from '../../../schemas/script.js';
import type { Host } from '../../../src/service/hosts/host.js';
import { hostImage, readHost } from '../../../src/service/hosts/host-image.js';
import { HostSession } from '../../../src/service/hosts/host-session.js';
import { eventItem, vcpuItem } from '../../../src/service/hosts/host-views.js';
import { msrsItem } from '../../../src/service/hosts/msr-views.js';
import { runScript } from '../../../src/service/hosts/scripts.js';

const DEFAULTS = { count: 1, exit_reason: 'external_interrupt', trace: false } as const;

interface Stored {
  readonly id: string;
  readonly version: number;
  readonly config: unknown;
  readonly image: string;
  readonly tail: string;
}

const STORED = JSON.parse(
  readFileSync('test/service/hosts/format-1-hosts.json', 'utf8'),
) as Stored[];

function read(id: string): Host {
  const stored = STORED.find((one) => one.id === id)!;
  return readHost({ ...stored, createdAt: new Date('2026-11-20T00:00:00Z') });
}

async function after(host: Host, ...actions: ScriptAction[]): Promise<Host> {
  const session = new HostSession(host);
  await runScript(session, { actions });
  return session.finish();
}

function stuck(host: Host): string[] {
  return msrsItem(host, 0).msrs.flatMap(({ stuck: bits, lost }) => [...bits, ...lost]);
}

t.test(
  'a host at rest: its events stand as they stood, and the tick restarts the throttled one',
  async (t) => {
    const host = read('host_throttled');
    const states = (of: Host): string[] => [0, 1, 2].map((at) => eventItem(of, at).state);
    t.strictSame(states(host), ['throttled', 'active', 'active']);
    t.strictSame(stuck(host), []);
    t.equal(JSON.parse(hostImage(host)).format, 2, 'and is stored in the form of today');
    const ticked = await after(host, { action: 'tick', cpu: 0 });
    t.strictSame(states(ticked), ['active', 'active', 'active']);
    t.strictSame(stuck(ticked), []);
    const ran = await after(
      ticked,
      { action: 'transition', vcpu: 'v', kind: 'round_trip', ...DEFAULTS },
      { action: 'disable_event', event: 'b' },
      { action: 'enable_event', event: 'b' },
      { action: 'close_event', event: 'a' },
    );
    t.strictSame(stuck(ran), []);
  },
);

t.test('a host in the guest comes back from it', async (t) => {
  const host = read('host_in_guest');
  t.equal(vcpuItem(host, 0).position, 'guest');
  const out = await after(host, { action: 'transition', vcpu: 'v', kind: 'vm_exit', ...DEFAULTS });
  t.equal(vcpuItem(out, 0).position, 'host');
  t.strictSame(stuck(out), []);
});

t.test('a host inside a PMU section ends it', async (t) => {
  const out = await after(read('host_in_section'), { action: 'pmu_enable', cpu: 0 });
  t.strictSame(stuck(out), []);
  t.equal(eventItem(out, 0).state, 'active');
});
