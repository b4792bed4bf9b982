/**
 * Reports as a document of KCIDB 5.3, as KernelCI's database takes it: no nulls, a status of the closed list, paths of words and
 * dots. Its dashboard also needs the platform, what it is compatible with, the lab and the repository of the kernel.
 */
import type { KcidbDocument } from '../../../schemas/report.js';
import type { Environment, Report, ReportedTest } from './report.js';

export const ORIGIN = 'pebslab';

const EXCERPT_CHARACTERS_MAX = 16_384;
const MAINLINE = 'https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git';
const STABLE = 'https://git.kernel.org/pub/scm/linux/kernel/git/stable/linux.git';

/** What is the same, like a kernel that several tests ran on, is in it once. */
export function toKcidb(reports: readonly Report[]): KcidbDocument {
  const checkouts = new Map<string, KcidbDocument['checkouts'][number]>();
  const builds = new Map<string, KcidbDocument['builds'][number]>();
  const tests = reports.flatMap((report) =>
    report.tests.map((test, at) => {
      const checkout = checkoutOf(test.environment);
      checkouts.set(checkout.id, checkout);
      const build = buildOf(test.environment, checkout.id);
      builds.set(build.id, build);
      return testOf(report, test, at, build.id);
    }),
  );
  return {
    version: { major: 5, minor: 3 },
    checkouts: [...checkouts.values()],
    builds: [...builds.values()],
    tests,
  };
}

/** Which kernel it is, by its release: a distribution's is taken for the one that it was made from, and that is said. */
function checkoutOf({ kernel, simulated }: Environment): KcidbDocument['checkouts'][number] {
  const release = kernel ?? 'unknown';
  const [, base = '', sublevel, rest = ''] =
    /^(\d+\.\d+(?:\.(\d+))?(?:-rc\d+)?)(.*)$/.exec(release) ?? [];
  const isStable = sublevel !== undefined && sublevel !== '0' && !base.includes('-rc');
  const isSure = base !== '' && rest === '';
  return {
    id: `${ORIGIN}:co-${idPart(release)}`,
    origin: ORIGIN,
    tree_name: isStable ? 'stable' : 'mainline',
    git_repository_url: isStable ? STABLE : MAINLINE,
    ...(base === '' ? {} : { git_commit_name: `v${base}` }),
    valid: true,
    misc: {
      kernel_release: plain(release),
      ...(isSure ? {} : { assumed: 'tree_name, git_repository_url' }),
      ...(simulated === true ? { simulated } : {}),
    },
  };
}

function buildOf({ kernel, lab }: Environment, checkout: string): KcidbDocument['builds'][number] {
  return {
    id: `${ORIGIN}:bd-${idPart(lab)}-${idPart(kernel ?? 'unknown')}`,
    checkout_id: checkout,
    origin: ORIGIN,
    architecture: 'x86_64',
    status: 'PASS',
    misc: { lab: plain(lab) },
  };
}

function testOf(
  report: Report,
  { path, status, reason, excerpt, duration_seconds, environment, misc = {} }: ReportedTest,
  at: number,
  build: string,
): KcidbDocument['tests'][number] {
  const { platform, compatible, lab, machine } = environment;
  const told = plain((excerpt || reason || '').slice(0, EXCERPT_CHARACTERS_MAX));
  return {
    id: `${ORIGIN}:${report.id}-${at}`,
    build_id: build,
    origin: ORIGIN,
    path: pathOf(path),
    status,
    start_time: report.started_at,
    ...(duration_seconds === undefined ? {} : { duration: duration_seconds }),
    environment: {
      compatible: [...compatible],
      comment: plain(`Runtime: ${machine === undefined ? lab : `${lab}/${machine}`}`),
      misc: { platform: plain(platform) },
    },
    ...(told === '' ? {} : { log_excerpt: told }),
    misc: {
      runtime: plain(lab),
      report: report.id,
      ...(reason === undefined || reason === '' ? {} : { reason: plain(reason.slice(0, 2000)) }),
      ...Object.fromEntries(Object.entries(misc).map(([name, value]) => [name, plain(`${value}`)])),
    },
  };
}

/** A dot parts groups, so names have none. */
function pathOf(path: readonly string[]): string {
  return path.map((part) => part.replace(/[^A-Za-z0-9_-]+/g, '_') || '_').join('.');
}

const idPart = (name: string): string => name.replace(/[^A-Za-z0-9._-]+/g, '_').slice(0, 100);

/** Text may have any character but NUL; half of a pair is no character. */
const plain = (text: string): string => text.replaceAll('\0', '').replace(/\p{Cs}/gu, '\u{FFFD}');
