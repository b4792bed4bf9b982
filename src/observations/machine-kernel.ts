/**
 * Which fixes a machine's kernel has, by its release or by the commits that somebody says it has, and which kernels of the
 * catalogue it may behave like.
 *
 * Source: semantics.md §0.1 and §0.2. A release says what it holds only where it is kernel.org's: distributions add patches.
 */
import { findKernel } from '../pmu/kernels/index.js';
import type { KernelVariant } from '../pmu/kernels/kernel-variant.js';
import type { FactsBook } from './facts-book.js';
import type { FixState } from './vocabulary.js';

export interface MachineKernel {
  readonly fixState: FixState;
  /** The catalogue's kernel that behaves most like it. */
  readonly nearest: KernelVariant | null;
  /** All that it may behave like, as far as IA32_PEBS_ENABLE goes. */
  readonly candidates: readonly Candidate[];
  readonly reasons: readonly string[];
  /** Names of what would tell more. */
  readonly missing: readonly string[];
}

export type Candidate = Pick<KernelVariant, 'support' | 'finishList'>;

/** The urgent patches of the series in mainline, oldest first. */
const COMMITS = ['cec38d5c098a', '4b64dbdc5861', 'd06260e99eb9', 'a391618e1d56'] as const;
/** The one after which IA32_PEBS_ENABLE is not switched with isolation. */
const PEBS_ENABLE_COMMIT = COMMITS[1];
/** Without the last one, which changes no write, a kernel behaves as with all. */
const BEHAVIOURAL = COMMITS.slice(0, 3);

/** The first point release of a line with all four; mainline has them since 7.3. */
const FIXED_FROM: Readonly<Record<string, number>> = {
  '7.2': 9,
  '6.18': 55,
  '6.12': 112,
  '6.6': 158,
};
/** The first with two of them. */
const PARTLY_FROM: Readonly<Record<string, number>> = { '6.1': 189 };
const FIXED_MAINLINE = 7003;
/** Guest PEBS came with 6.0; before, IA32_PEBS_ENABLE was switched without isolation only. */
const GUEST_PEBS = 6000;
/** Since then the steppings in the table of microcode are right. */
const ISOLATION_CORRECTED = 5013;
/** Nothing is known of what was before. */
const OLDEST = 5001;

/** From a line on, the kernels that one without and one with the series behaves like. */
const LINES: readonly (readonly [line: number, unfixed: string, fixed: string])[] = [
  [6019, 'linux-7.2.6', 'linux-7.3.4'],
  [6016, 'linux-7.2.6', 'linux-6.18.55'],
  [6007, 'linux-6.12.107', 'linux-6.12.117'],
  [6003, 'linux-6.12.107', 'linux-6.6.158'],
  [GUEST_PEBS, 'linux-6.1.187', 'linux-6.6.158'],
  [5007, 'linux-5.11', 'linux-6.6.158'],
  [OLDEST, 'linux-5.6', 'linux-6.6.158'],
];
const PARTLY = 'linux-6.1.192';
/** What an unknown kernel may behave like, if it is not older than guest PEBS. */
const ANY = ['linux-7.2.6', 'linux-7.3.4', 'linux-6.1.187', PARTLY];

interface Release {
  readonly text: string;
  /** 6012 for 6.12. */
  readonly line: number;
  readonly point: number;
  /** A release candidate. */
  readonly rc: boolean;
  /** What follows the numbers: a distribution's or a builder's. */
  readonly suffix: string;
}

const RELEASE = /^(?:linux-|v)?(\d{1,2})\.(\d{1,3})(?:\.(\d{1,4}))?(-rc\d{1,2})?(.*)$/s;
/** In what `uname -v` prints, a package's version or a distribution's name. */
const DISTRIBUTION =
  /\b\d+\.\d+\.\d+[-+~]\w|\b(?:Debian|Ubuntu|Fedora|SUSE|Red Hat|CentOS|Rocky|Alma|Arch|Amazon|Oracle|NixOS|Proxmox|PVE)\b/i;

/** `commits`: ids that somebody says the kernel has, in full or cut. */
export function machineKernel(facts: FactsBook, commits: readonly string[]): MachineKernel {
  const claimed = COMMITS.filter((id) => commits.some((said) => isSame(id, said)));
  const release = readRelease(facts.value('kernel_release'));
  if (claimed.length > 0) return withCommits(release, claimed);
  if (release === null) {
    const reasons = ['Which release the kernel is, is not known.'];
    return { ...ofUnknown(null), reasons, missing: ['kernel_release'] };
  }
  const version = facts.value('kernel_version') ?? '';
  if (release.suffix !== '' || DISTRIBUTION.test(version)) {
    const built = release.suffix === '' ? version.slice(0, 100) : release.text;
    const reasons = [
      `The kernel (${built}) is a distribution's or somebody's own build, which may have any patches: name the commits that it has.`,
    ];
    return { ...ofUnknown(release), reasons, missing: ['commits'] };
  }
  return byNumber(release);
}

const isSame = (id: string, said: string): boolean => said.startsWith(id) || id.startsWith(said);

function readRelease(text: string | null): Release | null {
  const [, major, minor, point, rc, suffix = ''] = RELEASE.exec(text ?? '') ?? [];
  if (text === null || major === undefined) return null;
  return {
    text,
    line: Number(major) * 1000 + Number(minor),
    point: Number(point ?? 0),
    rc: rc !== undefined,
    suffix,
  };
}

function byNumber(release: Release): MachineKernel {
  const { text, line, point, rc } = release;
  if (line === FIXED_MAINLINE && rc) {
    const why = `The fixes came into mainline between candidates of 7.3: ${text} may lack them.`;
    return { ...ofUnknown(release), reasons: [why], missing: ['commits'] };
  }
  const key = `${Math.floor(line / 1000)}.${line % 1000}`;
  const since = FIXED_FROM[key] ?? PARTLY_FROM[key] ?? Number.POSITIVE_INFINITY;
  if (rc && point === since) {
    const why = `The fixes came with ${key}.${since}: its candidate ${text} may lack some of them.`;
    return { ...ofUnknown(release), reasons: [why], missing: ['commits'] };
  }
  const isIn = (table: Readonly<Record<string, number>>): boolean =>
    point >= (table[key] ?? Number.POSITIVE_INFINITY);
  const same = sameRelease(release);
  const say = (fixState: 'fixed' | 'partly' | 'unfixed', reason: string): MachineKernel => {
    const found = known(fixState, release);
    const nearest = same ?? found.nearest;
    const candidates = same === undefined ? found.candidates : candidatesOf(same, line);
    return { fixState, nearest, candidates, reasons: [reason], missing: [] };
  };
  if (line >= FIXED_MAINLINE || isIn(FIXED_FROM))
    return say('fixed', `${text} has all four fixes.`);
  if (isIn(PARTLY_FROM)) return say('partly', `${text} has the first two of the four fixes.`);
  const when = Number.isFinite(since)
    ? `they came with ${key}.${since}`
    : 'no release of its line has them';
  return say('unfixed', `${text} has none of the fixes: ${when}.`);
}

function withCommits(release: Release | null, claimed: readonly string[]): MachineKernel {
  const all = claimed.length === COMMITS.length;
  const which = all ? 'all four fixes' : `${claimed.join(', ')} of the four fixes`;
  const reasons = [`The kernel is said to have ${which}.`];
  if (all) return { ...known('fixed', release), reasons, missing: [] };
  const like = BEHAVIOURAL.every((id) => claimed.includes(id))
    ? 'fixed'
    : claimed.includes(PEBS_ENABLE_COMMIT)
      ? 'partly'
      : 'unfixed';
  return { ...known(like, release), fixState: 'partly', reasons, missing: [] };
}

type Known = Pick<MachineKernel, 'fixState' | 'nearest' | 'candidates'>;

/** A kernel that behaves as one of its line, or of the newest, with or without the fixes. */
function known(fixState: 'fixed' | 'partly' | 'unfixed', release: Release | null): Known {
  const line = release?.line ?? FIXED_MAINLINE;
  const pair = pairOf(line);
  if (pair === null) return { fixState, nearest: null, candidates: [] };
  const nearest = fixState === 'partly' ? kernel(PARTLY) : kernel(pair[fixState]);
  return { fixState, nearest, candidates: candidatesOf(nearest, line) };
}

function ofUnknown(release: Release | null): Known {
  const any = ANY.map(kernel);
  if (release === null) return { fixState: 'unknown', nearest: null, candidates: any };
  const pair = pairOf(release.line);
  if (pair === null) return { fixState: 'unknown', nearest: null, candidates: [] };
  const ofLine = [pair.unfixed, pair.fixed].map(kernel);
  return {
    fixState: 'unknown',
    nearest: byNumber({ ...release, suffix: '', rc: false }).nearest,
    candidates: [...ofLine.flatMap((one) => candidatesOf(one, release.line)), ...any],
  };
}

/** The kernel of the catalogue that is this release, or has the faults of its time. */
function sameRelease({ text, suffix, line, point }: Release): KernelVariant | undefined {
  if (line === 6012 && point < 28) return findKernel('linux-6.12.27');
  const id = `linux-${text.slice(0, text.length - suffix.length).replace(/^(?:linux-|v)|\.0$/g, '')}`;
  return findKernel(id);
}

function pairOf(line: number): { readonly unfixed: string; readonly fixed: string } | null {
  const found = LINES.find(([first]) => line >= first);
  return found === undefined ? null : { unfixed: found[1], fixed: found[2] };
}

/** Before guest PEBS the table of microcode was corrected, also in point releases of older lines. */
function candidatesOf(nearest: KernelVariant, line: number): Candidate[] {
  const { isolationMicrocode, ...support } = nearest.support;
  if (isolationMicrocode === undefined) return [nearest];
  const corrected = { support, finishList: nearest.finishList };
  return line >= ISOLATION_CORRECTED ? [corrected] : [nearest, corrected];
}

function kernel(id: string): KernelVariant {
  const found = findKernel(id);
  if (found === undefined) throw new RangeError(`the catalogue has no kernel ${id}`);
  return found;
}
