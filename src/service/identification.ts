/** Identifies a machine by the texts and numbers of a request. */
import type { Identity, IdentityRequest } from '../../schemas/identify.js';
import { FactsBook } from '../observations/facts-book.js';
import { FactsReader, MACHINE_TEXTS } from '../observations/facts-of.js';
import { identify } from '../observations/identify.js';
import { Slices } from './slices.js';

/** Read in between two pauses: a few milliseconds at the worst. */
const PIECE_LENGTH = 1024;

/** What was said of a machine, and what follows. */
interface Identified {
  readonly identity: Identity;
  readonly facts: FactsBook;
}

export async function identifyMachine(request: IdentityRequest): Promise<Identified> {
  const { release, version, commits } = kernelSaid(request);
  const facts = new FactsBook(
    Object.fromEntries(
      Object.entries({
        cpu_family: decimal(request.family),
        cpu_model: decimal(request.model),
        cpu_stepping: decimal(request.stepping),
        microcode: hex(request.microcode),
        kernel_release: release,
        kernel_version: version,
      }).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
  );
  const slices = new Slices();
  for (const kind of MACHINE_TEXTS) {
    const text = request[kind] ?? '';
    const reader = new FactsReader(kind);
    for (let at = 0; at < text.length; at += PIECE_LENGTH) {
      reader.write(text.slice(at, at + PIECE_LENGTH));
      await slices.pause();
    }
    for (const { name, value, cpu } of reader.end()) {
      // One text may name the hypervisor, and another just say that there is one.
      if (name === 'hypervisor' && facts.has(name)) continue;
      facts.say(0, name, value, cpu ?? undefined);
    }
  }
  return { identity: identify(facts, commits) as Identity, facts };
}

const decimal = (number: string | number | undefined): string | undefined =>
  number === undefined ? undefined : String(Number(number));

const hex = (number: string | number | undefined): string | undefined =>
  number === undefined ? undefined : `0x${Number(number).toString(16)}`;

interface KernelSaid {
  readonly release?: string | undefined;
  readonly version?: string | undefined;
  readonly commits: readonly string[];
}

const RELEASE = /(?<![\d.])\d{1,2}\.\d{1,3}(?:[.-][^\s,;:()]*)?(?=[\s,;:()]|$)/;
const COMMIT = /\b[0-9a-f]{8,40}\b/gi;

/** In text the release comes first, and ids of commits are the words of 8 digits and more. */
function kernelSaid({ kernel = '', uname }: IdentityRequest): KernelSaid {
  if (typeof kernel !== 'string') {
    const { release, version, commits = [] } = kernel;
    const ids = commits.map((line) => line.toLowerCase().replace(/[^0-9a-f].*$/s, ''));
    return { release, version, commits: ids };
  }
  const release = RELEASE.exec(kernel)?.[0];
  const commits = [...kernel.matchAll(COMMIT)].map(([id]) => id.toLowerCase());
  // It may name a distribution, and so may `uname`, in other words.
  const version = release === undefined || uname !== undefined ? undefined : kernel;
  return { release, version, commits };
}
