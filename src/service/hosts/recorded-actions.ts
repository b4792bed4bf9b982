/**
 * The actions that made a host what it is. They are written with each change, so that the host can be carried away as a script
 * and made again: on a new host they do the same, and give the same ids.
 */
import type { HostScript, ScriptAction } from '../../../schemas/script.js';
import { ProblemError } from '../problem-error.js';
import { formatU64 } from '../wire.js';
import type { Host, Recorded } from './host.js';
import { hostConfig } from './host-image.js';

/** As many as a script can have. */
const ACTIONS_MAX = 1000;
/** A body can have 256. */
const KIBIBYTES_MAX = 255;

interface Addition {
  readonly recorded: Recorded | undefined;
  /** What is to be written: JSON objects, separated by commas. They are all ASCII. */
  readonly text: string;
}

/** What a change adds; nothing where the host is beyond the limits. */
export function withActions(
  recorded: Recorded | undefined,
  added: readonly ScriptAction[],
): Addition {
  if (recorded === undefined || isBeyond(recorded)) return { recorded, text: '' };
  const text = added.map((action) => JSON.stringify(action)).join(',');
  const actions = recorded.actions + added.length;
  const bytes = recorded.bytes + text.length + 1;
  const next = { ...recorded, actions, bytes };
  return { recorded: next, text: isBeyond(next) ? '' : text };
}

function isBeyond({ actions, bytes }: Recorded): boolean {
  return actions > ACTIONS_MAX || bytes > KIBIBYTES_MAX * 1024;
}

/** How many actions the script of a host has; refuses where there is none. */
export function recordedCount({ recorded }: Host): number {
  if (recorded === undefined) {
    const why = 'an earlier version of the service made it, or changed it';
    throw new ProblemError('conflict', `The actions of this host were not recorded: ${why}.`);
  }
  if (isBeyond(recorded)) {
    const kept = `${ACTIONS_MAX} actions or ${KIBIBYTES_MAX} KiB`;
    throw new ProblemError('conflict', `More than ${kept} made this host, and no more are kept.`);
  }
  return recorded.actions;
}

/** `texts` are all that was written of its actions. */
export function hostScript(host: Host, texts: readonly string[]): HostScript {
  const { microcode = host.microcode } = host.recorded ?? {};
  return {
    host: { ...hostConfig(host), microcode: formatU64(microcode) },
    script: { actions: JSON.parse(`[${texts.join(',')}]`) },
  };
}
