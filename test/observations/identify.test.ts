/** Machines by what their commands print: which CPU model and kernel they are, and what is predicted. */
import t from 'tap';
import { FactsBook } from '../../src/observations/facts-book.js';
import { type Identity, identify } from '../../src/observations/identify.js';
import { capture, read } from './captures.js';
import { factsOf } from './texts.js';

interface Machine {
  readonly cpuinfo?: string;
  readonly uname?: string;
  readonly dmesg?: string;
  readonly given?: Readonly<Record<string, string>>;
  readonly commits?: readonly string[];
}

function identityOf({
  cpuinfo = '',
  uname = '',
  dmesg = '',
  given = {},
  commits,
}: Machine): Identity {
  const facts = new FactsBook(given);
  const said = [
    ...factsOf('cpuinfo', cpuinfo),
    ...factsOf('uname', uname),
    ...factsOf('dmesg', dmesg),
  ];
  for (const { name, value, cpu } of said) facts.say(0, name, value, cpu ?? undefined);
  return identify(facts, commits);
}

/** The four that most is asked about: `model class isolation ept` and `kernel state path`. */
function brief(machine: Machine): string {
  const found = identityOf(machine);
  const { cpu_model, platform_class, isolation, pebs_ept } = found;
  const { nearest_kernel, fix_state, predicted_path } = found;
  const words = [cpu_model, platform_class, isolation, pebs_ept, nearest_kernel, fix_state];
  return [...words, predicted_path].map((word) => word ?? '-').join(' ');
}

/** As /proc/cpuinfo prints it. */
function cpu(
  model: number,
  stepping: number,
  microcode: string,
  processor = 0,
  family = 6,
): string {
  return `processor\t: ${processor}\nvendor_id\t: GenuineIntel\ncpu family\t: ${family}\nmodel\t\t: ${model}\nmodel name\t: Intel(R) CPU\nstepping\t: ${stepping}\nmicrocode\t: ${microcode}\n\n`;
}

const uname = (release: string, version = '#1 SMP PREEMPT_DYNAMIC'): string =>
  `Linux host-17 ${release} ${version} x86_64 GNU/Linux`;

const EMERALD = cpu(207, 2, '0x21000240');
const CASCADE = cpu(85, 7, '0x5003604');
const COMET = cpu(165, 2, '0xf8');
const HASWELL = cpu(63, 2, '0x49');

t.test('CPU and kernel together', async (t) => {
  const rows: readonly (readonly [what: string, machine: Machine, expected: string])[] = [
    [
      'before the fix',
      { cpuinfo: EMERALD, uname: uname('6.12.90') },
      'emerald-rapids K3 true true linux-6.12.107 unfixed autoload',
    ],
    [
      'fixed',
      { cpuinfo: EMERALD, uname: uname('6.12.112') },
      'emerald-rapids K3 true true linux-6.12.117 fixed none',
    ],
    [
      'the last without',
      { cpuinfo: EMERALD, uname: uname('6.12.111') },
      'emerald-rapids K3 true true linux-6.12.107 unfixed autoload',
    ],
    [
      'guests have no PEBS in 6.1',
      { cpuinfo: EMERALD, uname: uname('6.1.187') },
      'emerald-rapids K2 true false linux-6.1.187 unfixed none',
    ],
    [
      'but on Ice Lake-SP',
      { cpuinfo: cpu(106, 6, '0xd0003d1'), uname: uname('6.1.188') },
      'ice-lake-sp K3 true true linux-6.1.187 unfixed autoload',
    ],
    [
      'two patches',
      { cpuinfo: cpu(106, 6, '0xd0003d1'), uname: uname('6.1.189') },
      'ice-lake-sp K3 true true linux-6.1.192 partly none',
    ],
    [
      'Ice Lake-D',
      { cpuinfo: cpu(108, 1, '0x1000290'), uname: uname('6.6.158') },
      'ice-lake-sp K3 true true linux-6.6.158 fixed none',
    ],
    [
      'Skylake-SP',
      { cpuinfo: cpu(85, 4, '0x2007006'), uname: uname('6.12.90') },
      'skylake-sp K2 true false linux-6.12.107 unfixed none',
    ],
    [
      'an early stepping',
      { cpuinfo: cpu(85, 3, '0x20'), uname: uname('7.3.4') },
      'skylake-sp K1 false false linux-7.3.4 fixed autoload',
    ],
    [
      'with newer microcode',
      { cpuinfo: cpu(85, 3, '0x21'), uname: uname('7.3.4') },
      'skylake-sp K2 true false linux-7.3.4 fixed none',
    ],
    [
      'Cascade Lake',
      { cpuinfo: CASCADE, uname: uname('6.12.90') },
      'cascade-lake K2 true false linux-6.12.107 unfixed none',
    ],
    [
      'Cooper Lake',
      { cpuinfo: cpu(85, 11, '0x7002904'), uname: uname('6.12.90') },
      'cascade-lake K2 true false linux-6.12.107 unfixed none',
    ],
    [
      'a stepping without entry',
      { cpuinfo: cpu(85, 10, '0x1'), uname: uname('6.12.117') },
      'cascade-lake K1 false false linux-6.12.117 fixed autoload',
    ],
    [
      'Comet Lake, fixed or not',
      { cpuinfo: COMET, uname: uname('6.12.117') },
      'comet-lake K1 false false linux-6.12.117 fixed autoload',
    ],
    ['and whatever the kernel', { cpuinfo: COMET }, 'comet-lake K1 false false - unknown autoload'],
    [
      'old microcode',
      { cpuinfo: cpu(63, 2, '0x36'), uname: uname('7.2.9') },
      'haswell-x K1 false false linux-7.3.4 fixed autoload',
    ],
    [
      'Broadwell-X',
      { cpuinfo: cpu(79, 1, '0xb000014'), uname: uname('7.2.8') },
      'broadwell-x K2 true false linux-7.2.6 unfixed none',
    ],
    [
      'Kaby Lake is not in the catalogue',
      { cpuinfo: cpu(158, 9, '0xf4'), uname: uname('6.18.55') },
      '- K2 true false linux-6.18.55 fixed none',
    ],
    [
      'nor is Sandy Bridge, never isolated',
      { cpuinfo: cpu(45, 7, '0x71a'), uname: uname('6.18.55') },
      '- K1 false false linux-6.18.55 fixed autoload',
    ],
    [
      'Diamond Rapids',
      { cpuinfo: cpu(1, 0, '0x1', 0, 19), uname: uname('7.2.6') },
      'diamond-rapids K4 true true linux-7.2.6 unfixed none',
    ],
    [
      'a hybrid',
      { cpuinfo: cpu(183, 1, '0x12c'), uname: uname('6.12.90') },
      'alder-lake-p K2 true false linux-6.12.107 unfixed none',
    ],
    [
      'format unknown',
      { cpuinfo: cpu(175, 3, '0x3000330'), uname: uname('6.12.90') },
      'sierra-forest - true - linux-6.12.107 unfixed unknown',
    ],
    [
      'which makes no difference with the fix',
      { cpuinfo: cpu(175, 3, '0x3000330'), uname: uname('6.12.112') },
      'sierra-forest - true - linux-6.12.117 fixed none',
    ],
    ['no CPU', { uname: uname('6.12.112') }, '- - - - linux-6.12.117 fixed unknown'],
    ['nothing', {}, '- - - - - unknown unknown'],
    [
      'isolated with or without fix',
      { cpuinfo: CASCADE, uname: uname('6.12.112-1-amd64') },
      'cascade-lake K2 true false linux-6.12.117 unknown none',
    ],
    [
      'not so Emerald Rapids',
      { cpuinfo: EMERALD, uname: uname('6.12.112-1-amd64') },
      'emerald-rapids - true - linux-6.12.117 unknown unknown',
    ],
    [
      'before guest PEBS',
      { cpuinfo: EMERALD, uname: uname('5.15.190') },
      'emerald-rapids K2 true false linux-5.11 unfixed none',
    ],
    [
      'the table of 5.10 may be wrong',
      { cpuinfo: CASCADE, uname: uname('5.10.20') },
      'cascade-lake - - false linux-5.11 unfixed unknown',
    ],
    [
      'and that of 5.15 is right',
      { cpuinfo: CASCADE, uname: uname('5.15.20') },
      'cascade-lake K2 true false linux-5.11 unfixed none',
    ],
    [
      'too old',
      { cpuinfo: CASCADE, uname: uname('4.19.300') },
      'cascade-lake - - - - unfixed unknown',
    ],
  ];
  for (const [what, machine, expected] of rows) t.equal(brief(machine), expected, what);
});

t.test('the fixes of a kernel', async (t) => {
  const stateOf = (release: string, version?: string, commits?: string[]): string =>
    identityOf({ uname: uname(release, version), ...(commits === undefined ? {} : { commits }) })
      .fix_state;
  for (const release of [
    '7.2.9',
    '7.3',
    '7.3.0',
    '7.3.4',
    '7.4.0-rc1',
    '8.0',
    '6.18.55',
    '6.12.112',
    '6.12.200',
    '6.12.113-rc1',
    '6.6.158',
  ]) {
    t.equal(stateOf(release), 'fixed', release);
  }
  for (const release of [
    '7.2.8',
    '7.2.0-rc7',
    '7.1.20',
    '6.19.0',
    '6.18.54',
    '6.17.13',
    '6.12.111',
    '6.12.111-rc1',
    '6.6.157',
    '6.1.188',
    '5.15.200',
  ]) {
    t.equal(stateOf(release), 'unfixed', release);
  }
  t.equal(stateOf('6.1.189'), 'partly');
  for (const release of [
    '6.12.112-1-amd64',
    '6.12.117+deb13-amd64',
    '5.14.0-503.11.1.el9_5.x86_64',
    '6.8.0-45-generic',
    '6.12.112+',
    '7.3.0-rc5',
    '6.12.112-rc1',
    '6.1.189-rc2',
    '6.12.112-200.fc41.x86_64',
    '6.12.90-arch1-1',
  ]) {
    t.equal(stateOf(release), 'unknown', release);
  }
  const debian = '#1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1 (2026-11-01)';
  t.equal(stateOf('6.12.117', debian), 'unknown', 'a package');
  const claimed = ['cec38d5c098a', '4b64dbdc5861', 'd06260e99eb9', 'a391618e1d56'];
  t.equal(stateOf('5.14.0-503.el9', debian, claimed), 'fixed');
  t.equal(stateOf('5.14.0-503.el9', debian, claimed.slice(0, 2)), 'partly');
  t.equal(stateOf('5.14.0-503.el9', debian, ['b7b84fff2bd6']), 'unknown', 'another commit');
  t.equal(
    stateOf(
      '6.12.90',
      undefined,
      claimed.map((id) => `${id}${'0'.repeat(28)}`),
    ),
    'fixed',
    'whole ids',
  );
  const cpuinfo = EMERALD;
  const own = { cpuinfo, uname: uname('6.12.90-own') };
  t.match(brief({ ...own, commits: claimed }), /linux-6.12.117 fixed none/);
  t.match(brief({ ...own, commits: claimed.slice(0, 2) }), /linux-6.1.192 partly none/);
  t.match(brief({ ...own, commits: claimed.slice(0, 1) }), /linux-6.12.107 partly autoload/);
  t.match(brief({ ...own, commits: claimed.slice(0, 3) }), /linux-6.12.117 partly none/);
  t.match(brief({ uname: uname('6.12.20') }), /linux-6.12.27 unfixed/, 'the faults of its time');
  t.match(brief({ uname: uname('6.6.0') }), /linux-6.6 unfixed/);
  const banner = (built: string): string =>
    `[    0.000000] Linux version 6.12.117 (builder@host) (gcc (Debian 12.2.0-14) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) ${built}`;
  t.equal(
    identityOf({ dmesg: banner('#3 SMP') }).fix_state,
    'fixed',
    'only the compiler is Debian',
  );
  t.equal(identityOf({ dmesg: banner(debian) }).fix_state, 'unknown');
});

t.test('what is missing is named, and nothing else', async (t) => {
  const missing = (machine: Machine): readonly string[] => identityOf(machine).missing;
  t.strictSame(missing({ cpuinfo: EMERALD, uname: uname('6.12.90') }), []);
  t.strictSame(missing({}), [
    'cpu_vendor',
    'cpu_family',
    'cpu_model',
    'pmu_version',
    'pebs_format',
    'kernel_release',
  ]);
  const given = { cpu_family: '6', cpu_model: '85', kernel_release: '7.3.4' };
  t.strictSame(missing({ given }), ['cpu_stepping']);
  t.equal(brief({ given }), '- - - false linux-7.3.4 fixed unknown');
  t.strictSame(missing({ given: { ...given, cpu_stepping: '3' } }), ['microcode']);
  t.strictSame(missing({ given: { ...given, cpu_stepping: '4' } }), [], 'any microcode does');
  t.strictSame(missing({ given: { ...given, cpu_model: '175' } }), ['pebs_format']);
  t.strictSame(missing({ cpuinfo: EMERALD, uname: uname('6.8.0-45-generic') }), ['commits']);
  const unlisted = { cpu_family: '6', cpu_model: '250', kernel_release: '7.2.6' };
  t.strictSame(missing({ given: unlisted }), ['cpu_vendor', 'pmu_version', 'pebs_format']);
  const told = { ...unlisted, pmu_version: '5', pebs_format: '5' };
  t.equal(brief({ given: told }), '- K3 true true linux-7.2.6 unfixed autoload');
});

t.test('machines without PEBS, or not of Intel', async (t) => {
  const flags = (...more: string[]): string =>
    `flags\t\t: ${[...Array.from({ length: 45 }, (_, at) => `flag${at}`), ...more].join(' ')}\n`;
  const rows: readonly (readonly [string, Machine, RegExp])[] = [
    [
      'AMD',
      { cpuinfo: 'processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\n' },
      /AMD/,
    ],
    ['Zhaoxin', { given: { cpu_vendor: 'CentaurHauls' } }, /no Intel CPUs/],
    [
      'a guest without PEBS',
      { cpuinfo: `${CASCADE.trimEnd()}\n${flags('hypervisor')}` },
      /no PEBS/,
    ],
    [
      'no PMU',
      {
        dmesg:
          '[    0.1] Performance Events: unsupported p6 CPU model 142 no PMU driver, software events only.',
      },
      /no PMU/,
    ],
  ];
  for (const [what, machine, reason] of rows) {
    const found = identityOf(machine);
    t.equal(found.predicted_path, 'none', what);
    t.match(found.reasons[0], reason, what);
    t.equal(found.findings[0]?.rule, 'R5', what);
  }
  const several = identityOf({ dmesg: capture('dmesg-pmu-variants.txt') });
  t.match(several, { predicted_path: 'unknown', certain: false }, 'a text about several machines');
  const short = `${cpu(165, 2, '0xf8').trimEnd()}\nflags\t\t: fpu vme msr\n`;
  t.equal(identityOf({ cpuinfo: short }).predicted_path, 'autoload', 'a list that somebody cut');
  const with_ = `${cpu(165, 2, '0xf8').trimEnd()}\n${flags('pebs')}`;
  t.equal(identityOf({ cpuinfo: with_ }).predicted_path, 'autoload');
});

t.test('microcode', async (t) => {
  const skewed = identityOf({
    cpuinfo: HASWELL + cpu(63, 2, '0x2e', 1),
    uname: uname('7.3.4'),
  });
  t.match(skewed, { isolation: true, predicted_path: 'none', certain: false });
  t.match(skewed.findings, [{ rule: 'microcode_skew', text: /0x49.*0x2e.*only the boot CPU/ }]);
  const other = identityOf({
    cpuinfo: cpu(63, 2, '0x2e') + cpu(63, 2, '0x49', 1),
    uname: uname('7.3.4'),
  });
  t.match(other, { isolation: false, predicted_path: 'autoload', certain: false });
  const guest = identityOf({
    cpuinfo: `${cpu(63, 2, '0x1').trimEnd()}\nflags\t\t: fpu pebs hypervisor\n`,
    uname: uname('7.3.4'),
  });
  t.match(guest, { isolation: false, predicted_path: 'autoload', certain: false });
  t.match(guest.findings, [{ rule: 'hypervisor' }]);
  const contradicted = identityOf({
    cpuinfo: EMERALD,
    uname: `${uname('6.12.90')}\n${uname('6.12.112')}`,
  });
  t.match(contradicted, { fix_state: 'unknown', certain: false, missing: ['kernel_release'] });
  t.match(contradicted.findings, [{ rule: 'facts_differ', text: /6.12.90, 6.12.112/ }]);
});

t.test('captures', async (t) => {
  t.equal(
    brief({ cpuinfo: capture('cpuinfo-cometlake.txt'), uname: uname('7.3.4') }),
    'comet-lake K1 false false linux-7.3.4 fixed autoload',
  );
  t.equal(
    brief({ dmesg: capture('cpuinfo-coreboot-console.txt') }),
    'comet-lake K1 false false - unknown autoload',
  );
  const skewed = identityOf({ cpuinfo: capture('cpuinfo-microcode-skew.txt') });
  t.match(skewed, { cpu_model: 'haswell-x', isolation: true, certain: false });
  t.match(brief({ dmesg: capture('dmesg-pmu-host.txt') }), /emerald-rapids/);
});

t.test('an observation is judged by what its own facts say', async (t) => {
  const text = (release: string, model: number, stepping: number): string =>
    `[    0.000000] Linux version ${release} (b@h) (gcc) #1 SMP
[    0.200000] smpboot: CPU0: Intel(R) Xeon(R) (family: 0x6, model: 0x${model.toString(16)}, stepping: 0x${stepping})
cpu=0 3f1=0000000000000000
`;
  const judged = (release: string, model = 207, stepping = 2) =>
    read(text(release, model, stepping), { format: 'console' }).answer;
  const fixed = judged('6.12.112');
  t.equal(fixed.verdict, 'not_applicable');
  t.match(fixed.facts, { fix_state: 'fixed', isolation: 'true', predicted_path: 'none' });
  t.match(fixed.findings, [{ rule: 'R5', lines: [1, 2] }], 'with the lines that say it');
  t.equal(judged('6.12.90').verdict, 'inconclusive');
  t.equal(judged('6.12.112-1-amd64').verdict, 'inconclusive', "a distribution's");
  t.equal(judged('6.12.112', 165).verdict, 'inconclusive', 'fixed, and not isolated');
  const said = read(text('6.12.112', 207, 2), {
    format: 'console',
    facts: { fix_state: 'unfixed' },
  });
  t.equal(said.answer.verdict, 'inconclusive', 'what the sender says counts');
  const cut = read(text('6.12.112', 207, 2), { format: 'console', complete: false });
  t.equal(cut.answer.verdict, 'inconclusive', 'the rest may say something else');
});
