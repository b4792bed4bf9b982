/** `POST /v1/identify`, CPU models by number, and MSRs by index. */
import t from 'tap';
import { PmuMsrNameSchema, PmuMsrSchema } from '../../schemas/common.js';
import { CpuModelPageSchema } from '../../schemas/cpu-model.js';
import { ExplorationSchema } from '../../schemas/exploration.js';
import { type Identity, IdentitySchema } from '../../schemas/identify.js';
import { MSR_CODES, msrCode, msrIndex, msrName } from '../../src/pmu/arch/msr.js';
import { bodyOf, problemOf } from '../helper.js';
import { openLab } from './lab.js';

t.test('a machine is identified by numbers, texts, or both', async (t) => {
  const lab = await openLab(t);
  const identified = async (body: object): Promise<Identity> =>
    bodyOf(t, await lab.send('POST', '/v1/identify', body), IdentitySchema);
  const emerald = { cpu_model: 'emerald-rapids', isolation: true };
  t.match(await identified({ family: 6, model: 207, stepping: 2, kernel: '6.12.90' }), {
    ...emerald,
    platform_class: 'K3',
    pebs_ept: true,
    nearest_kernel: 'linux-6.12.107',
    fix_state: 'unfixed',
    predicted_path: 'autoload',
    certain: true,
    missing: [],
  });
  const texts = {
    uname: 'Linux host-17 6.12.112 #1 SMP x86_64 GNU/Linux',
    cpuinfo:
      'processor : 0\nvendor_id : GenuineIntel\ncpu family : 6\nmodel : 207\nstepping : 2\nmicrocode : 0x21000240',
  };
  t.match(await identified(texts), { ...emerald, fix_state: 'fixed', predicted_path: 'none' });
  t.match(await identified({ model: '0xCF', family: '6', kernel: 'linux-7.2.9' }), {
    ...emerald,
    fix_state: 'fixed',
  });
  t.match(await identified({ ...texts, model: 143 }), {
    cpu_model: null,
    certain: false,
    findings: [{ rule: 'facts_differ' }],
  });
  t.match(await identified({ family: 6, model: 63, stepping: 2, microcode: '0x37' }), {
    isolation: true,
  });
  t.match(await identified({ family: 6, model: 63, stepping: 2, microcode: 0x36 }), {
    isolation: false,
  });
  t.match(await identified({}), { fix_state: 'unknown', predicted_path: 'unknown' });
});

t.test('a kernel is text or fields, and may name commits', async (t) => {
  const lab = await openLab(t);
  const four = ['cec38d5c098a', '4b64dbdc5861', 'd06260e99eb9', 'a391618e1d56'];
  const rows: readonly (readonly [unknown, string])[] = [
    ['6.12.112', 'fixed'],
    ['v6.12.112', 'fixed'],
    ['6.12.112-1-amd64', 'unknown'],
    [
      'Linux host 6.12.112-1-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.12.112-1 (2026-10-20) x86_64 GNU/Linux',
      'unknown',
    ],
    ['6.12.117 (Debian 6.12.117-1)', 'unknown'],
    [`5.14.0-503.el9 with ${four.join(', ')}`, 'fixed'],
    [{ release: '6.1.189' }, 'partly'],
    [{ release: '6.12.117', version: '#1 SMP Debian 6.12.117-1 (2026-11-01)' }, 'unknown'],
    [{ release: '5.14.0-503.el9', commits: four }, 'fixed'],
    [
      { release: '5.14.0-503.el9', commits: four.map((id) => `${id.toUpperCase()} perf: a title`) },
      'fixed',
    ],
    [{ commits: four.slice(1, 3) }, 'partly'],
  ];
  for (const [kernel, expected] of rows) {
    const answer = bodyOf(t, await lab.send('POST', '/v1/identify', { kernel }), IdentitySchema);
    t.equal(answer.fix_state, expected, JSON.stringify(kernel));
  }
});

t.test('what cannot be is refused, with the field', async (t) => {
  const lab = await openLab(t);
  const rows: readonly (readonly [object, string])[] = [
    [{ model: 'cf' }, '/model'],
    [{ stepping: 16 }, '/stepping'],
    [{ microcode: '0xzz' }, '/microcode'],
    [{ kernel: 6 }, '/kernel'],
    [{ kernel: { commits: ['fixed'] } }, '/kernel/commits/0'],
    [{ kernel: { patches: [] } }, '/kernel/patches'],
    [{ cpu: '' }, '/cpu'],
    [{ dmesg: 'x'.repeat(1_048_577) }, '/dmesg'],
  ];
  for (const [body, pointer] of rows) {
    const problem = problemOf(t, await lab.send('POST', '/v1/identify', body), 'validation');
    t.equal(problem.errors?.[0]?.pointer, pointer);
  }
  const long = { dmesg: 'x\n'.repeat(330_000), cpuinfo: 'x\n'.repeat(330_000) };
  t.equal((await lab.send('POST', '/v1/identify', long)).statusCode, 200, 'long texts');
  const longer = { dmesg: 'x'.repeat(1_048_576), cpuinfo: 'x'.repeat(1_048_576) };
  problemOf(t, await lab.send('POST', '/v1/identify', longer), 'body_too_large');
});

t.test('CPU models by family, model and stepping', async (t) => {
  const lab = await openLab(t);
  const ids = async (query: string): Promise<string[]> => {
    const response = await lab.get(`/v1/cpu-models?${query}`);
    return bodyOf(t, response, CpuModelPageSchema).items.map(({ id }) => id);
  };
  t.strictSame(await ids('family=6&model=85'), ['skylake-sp', 'cascade-lake']);
  t.strictSame(await ids('family=6&model=0x55&stepping=0x7'), ['cascade-lake']);
  t.strictSame(await ids('model=85&stepping=4'), ['skylake-sp']);
  t.strictSame(await ids('model=166'), ['comet-lake']);
  t.strictSame(await ids('family=19'), ['diamond-rapids']);
  t.strictSame(await ids('family=25'), []);
  t.equal((await ids('')).length, 13);
  const problem = problemOf(t, await lab.get('/v1/cpu-models?model=skylake'), 'validation');
  t.equal(problem.errors?.[0]?.pointer, '/model');
});

const patternOf = (schema: object): RegExp => new RegExp((schema as { pattern: string }).pattern);

t.test('an MSR by its index is the one of the name', async (t) => {
  const names = patternOf(PmuMsrNameSchema);
  const inputs = patternOf(PmuMsrSchema);
  const known = new Map<number, string>();
  for (let code = 0; code < MSR_CODES; code += 1) {
    try {
      known.set(msrIndex(code), msrName(code));
    } catch {
      // The engine has no MSR of this code.
    }
  }
  for (let index = 0; index < 0x2000; index += 1) {
    const hex = `0x${index.toString(16)}`;
    const name = known.get(index);
    if (inputs.test(hex) !== (name !== undefined)) t.fail(`${hex} is ${name}`);
    if (inputs.test(`0X${hex.slice(2).toUpperCase()}`) !== inputs.test(hex)) t.fail(hex);
    if (name !== undefined && !names.test(name)) t.fail(name);
  }
  t.equal(msrCode('0x3F1'), msrCode('IA32_PEBS_ENABLE'));
  t.equal(msrCode('1009'), undefined, 'decimal may be anything');

  const lab = await openLab(t);
  const host = await lab.host();
  const vcpu = await host.vcpu();
  const path = `${host.path}/vcpus/${vcpu.id}/wrmsr`;
  const written = await lab.send('POST', path, { msr: '0x3F1', value: '0x1' });
  t.match(written.json(), { gp: false, pmu: { pebs_enable: '0x0000000000000001' } });
  problemOf(t, await lab.send('POST', path, { msr: '0x3f3', value: 1 }), 'validation');
  const actions = [{ action: 'wrmsr', vcpu: vcpu.id, msr: '0x38f', value: '0x1' }];
  const ran = await lab.send('POST', `${host.path}/scripts`, { actions });
  t.equal(ran.statusCode, 200, ran.body.slice(0, 300));

  const model = {
    cpu_model: 'emerald-rapids',
    kernel: 'linux-7.3.4',
    vcpus: [{ wrmsr: [{ msr: '0x3f1', value: '0x1' }] }],
  };
  const started = await lab.send('POST', '/v1/explorations', { model });
  const exploration = bodyOf(t, started, ExplorationSchema, 202);
  t.match(exploration.model, { vcpus: [{ wrmsr: [{ msr: 'IA32_PEBS_ENABLE' }] }] });
});
