/** Explanations over HTTP: a trace is sent, explained, and its schedule replayed; what cannot be meant is refused. */
import t from 'tap';
import { ExplanationPageSchema, ExplanationSchema } from '../../schemas/explanation.js';
import { HostSchema } from '../../schemas/host.js';
import { bodyOf, build, problemOf } from '../helper.js';
import { eventually } from '../instances.js';

const app = await build(t);

const line = (text: string, flags = 'd..1.', cpu = '000'): string =>
  `       CPU 0/KVM-4200    [${cpu}] ${flags}   100.000001: ${text}`;
const trip = [
  line('kvm_entry: vcpu 0, rip 0x0'),
  line('write_msr: 3f1, value 0'),
  line(
    'kvm_exit: vcpu 0 reason EXTERNAL_INTERRUPT rip 0x0 info1 0x0000000000000000 info2 0x0000000000000000 intr_info 0x800000ec error_code 0x00000000',
  ),
];
const section = [
  line('write_msr: 38f, value 0'),
  line('write_msr: 3f1, value 0'),
  line('write_msr: 3f1, value 1'),
  line('write_msr: 38f, value 1000f000000ff'),
];
const TRACE = [
  ...trip,
  line('write_msr: 830, value 400'),
  ...section,
  ...trip,
  line('write_msr: 38f, value 0', 'd..1.', '001'),
];

async function observationOf(lines: readonly string[], facts = ''): Promise<string> {
  const answer = await app.inject({
    method: 'POST',
    url: `/v1/observations${facts}`,
    headers: { 'content-type': 'text/plain' },
    payload: `# tracer: nop\n#\n${lines.join('\n')}\n`,
  });
  t.equal(answer.statusCode, 201, answer.body);
  return answer.json().id;
}

const ask = (observation: string, payload: object) =>
  app.inject({
    method: 'POST',
    url: `/v1/observations/${observation}/explanations`,
    headers: { prefer: 'wait=60' },
    payload,
  });

t.test('a recording is explained by its kernel, and the schedule can be replayed', async (t) => {
  const id = await observationOf(TRACE);
  const asked = { kernel: 'linux-7.2.6', cpu_model: 'emerald-rapids' };
  const found = bodyOf(t, await ask(id, asked), ExplanationSchema);
  t.match(found, {
    state: 'succeeded',
    observation: id,
    cpu: 0,
    records: 10,
    skipped: [{ what: 'write of 0x830', count: 1 }],
    verdict: 'explained',
    fits: ['linux-7.2.6'],
  });
  const [item] = found.kernels;
  t.equal(item?.verdict, 'explained');
  t.ok(item!.inference.length > 1 && item!.story!.length > 100);
  const made = await app.inject({ method: 'POST', url: '/v1/hosts', payload: item!.host! });
  const host = bodyOf(t, made, HostSchema, 201);
  const url = `/v1/hosts/${host.id}`;
  const actions = { actions: item!.script };
  const run = await app.inject({ method: 'POST', url: `${url}/scripts`, payload: actions });
  t.equal(run.statusCode, 200, run.body.slice(0, 500));
  const read = await app.inject(`/v1/explanations/${found.id}`);
  t.strictSame(bodyOf(t, read, ExplanationSchema), found);
});

t.test('a line that gives no record may have been a write', async (t) => {
  const written = TRACE.map((each) =>
    each.endsWith('3f1, value 1') ? each.replace('value 1', 'val[    7.024500] perf: x') : each,
  );
  const asked = { kernel: 'linux-7.2.6', cpu_model: 'emerald-rapids' };
  const verdictOf = async (lines: readonly string[]): Promise<string | null | undefined> =>
    bodyOf(t, await ask(await observationOf(lines), asked), ExplanationSchema).verdict;
  t.equal(await verdictOf(written), 'explained');
  t.equal(
    await verdictOf(TRACE.filter((each) => !each.endsWith('3f1, value 1'))),
    'unexplained',
    'no line, and nothing says that one is missing',
  );
});

t.test('what the guest writes is followed', async (t) => {
  const kvm = (said: string): string =>
    `       CPU 0/KVM-4200    [000] .....     0.000001: ${said}`;
  const write = (said: string): string =>
    `       CPU 0/KVM-4200    [000] d..1.     0.000002: write_msr: ${said}`;
  const exit =
    'kvm_exit: vcpu 0 reason HLT rip 0x0 info1 0x0 info2 0x0 intr_info 0x0 error_code 0x0';
  const trace = [
    kvm(exit),
    kvm('kvm_msr: msr_write 38f = 0x0'),
    write('38f, value 0'),
    write('3f1, value 0'),
    write('186, value 40003003c'),
    write('38f, value 1000f000000ff'),
    kvm('kvm_entry: vcpu 0, rip 0x0'),
    kvm(exit),
    kvm('kvm_msr: msr_write 3f1 = 0x0'),
    kvm('kvm_msr: msr_read 3f1 = 0x0'),
    kvm('kvm_msr: msr_read 38e = 0x0'),
    kvm('kvm_entry: vcpu 0, rip 0x0'),
  ];
  const asked = { kernel: 'linux-7.3.4', cpu_model: 'emerald-rapids' };
  const id = await observationOf(trace);
  const found = bodyOf(t, await ask(id, asked), ExplanationSchema);
  const skipped = [{ what: 'guest_access', count: 1 }];
  t.match(found, { verdict: 'explained', records: 11, skipped });
  const [item] = found.kernels;
  t.match(item!.story, /the guest writes 0x0000000000000000 to its IA32_PEBS_ENABLE/);
  const made = await app.inject({ method: 'POST', url: '/v1/hosts', payload: item!.host! });
  const url = `/v1/hosts/${bodyOf(t, made, HostSchema, 201).id}/scripts`;
  const run = await app.inject({ method: 'POST', url, payload: { actions: item!.script } });
  t.equal(run.statusCode, 200, run.body.slice(0, 500));
});

/** What the tracepoints of a host print from its beginning on. */
async function traceOf(kernel: string, actions: readonly object[]): Promise<string[]> {
  const asked = { cpu_model: 'emerald-rapids', kernel };
  const made = await app.inject({ method: 'POST', url: '/v1/hosts', payload: asked });
  const url = `/v1/hosts/${bodyOf(t, made, HostSchema, 201).id}`;
  const run = await app.inject({ method: 'POST', url: `${url}/scripts`, payload: { actions } });
  t.equal(run.statusCode, 200, run.body.slice(0, 500));
  const { body } = await app.inject(`${url}/trace?format=ftrace`);
  return body.split('\n').filter((text) => /: (write_msr|kvm_entry|kvm_exit|kvm_msr): /.test(text));
}

const OPEN = {
  action: 'open_event',
  name: 'a',
  counter: 'PMC0',
  precise_ip: 2,
  exclude_guest: true,
};
const TRIP = { action: 'transition', vcpu: 'g', kind: 'round_trip' };
const THROTTLE = { action: 'nmi', throttle: ['PMC0'] };
const wrmsr = (msr: string, value: string) => ({ action: 'wrmsr', vcpu: 'g', msr, value });

t.test('a recording may begin before anything counts', async (t) => {
  const adaptive = [
    { ...OPEN, pebs_data_cfg: '0x3' },
    { action: 'add_vcpu', name: 'g' },
    TRIP,
    THROTTLE,
    TRIP,
  ];
  const guestPebs = [
    OPEN,
    { action: 'add_vcpu', name: 'g' },
    wrmsr('IA32_DS_AREA', '0xffff888000049000'),
    wrmsr('IA32_PEBS_ENABLE', '0x2'),
    wrmsr('IA32_PERFEVTSEL1', '0x43003c'),
    wrmsr('IA32_PERF_GLOBAL_CTRL', '0x2'),
    TRIP,
    THROTTLE,
    TRIP,
    { action: 'tick' },
    TRIP,
  ];
  for (const kernel of ['linux-7.3.4', 'linux-7.2.6', 'linux-6.1.192']) {
    const told = await traceOf(kernel, guestPebs);
    const untold = told.filter((text) => !text.includes('kvm_msr'));
    t.equal(told.length - untold.length, 4, 'what the guest writes');
    for (const trace of [await traceOf(kernel, adaptive), untold, told]) {
      const id = await observationOf(trace);
      const found = bodyOf(
        t,
        await ask(id, { kernel, cpu_model: 'emerald-rapids' }),
        ExplanationSchema,
      );
      t.strictSame(found.fits, [kernel]);
      t.equal(
        found.kernels[0]?.story?.includes('the guest writes'),
        trace === told,
        'the schedule has them where the trace has',
      );
    }
  }
});

t.test('one MSR may have been traced alone', async (t) => {
  const kernel = 'linux-7.2.6';
  const actions = [
    OPEN,
    { action: 'add_vcpu', name: 'g' },
    TRIP,
    THROTTLE,
    { action: 'tick' },
    TRIP,
  ];
  const traced = (await traceOf(kernel, actions)).filter((text) => text.includes(': 3f1,'));
  const asked = { kernel, cpu_model: 'emerald-rapids' };
  const found = bodyOf(t, await ask(await observationOf(traced), asked), ExplanationSchema);
  t.match(found, { records: traced.length, fits: [kernel] });
  t.ok(found.kernels[0]?.inference.some((text) => /^IA32_PERF_GLOBAL_CTRL was not/.test(text)));
  const [first] = traced;
  const wrong = [...traced, first!.replace(/value \w+/, 'value 800')];
  const none = bodyOf(t, await ask(await observationOf(wrong), asked), ExplanationSchema);
  t.strictSame(none.fits, []);
});

t.test('what no schedule makes is named', async (t) => {
  const wrong = TRACE.with(6, line('write_msr: 3f1, value 8000000000000001'));
  const id = await observationOf(wrong);
  const asked = { kernels: ['linux-7.2.6', 'linux-7.3.4'], cpu_model: 'emerald-rapids' };
  const found = bodyOf(t, await ask(id, asked), ExplanationSchema);
  t.strictSame(found.fits, []);
  t.equal(found.verdict, 'unexplained');
  const [older, newer] = found.kernels;
  // Two lines of heading come before.
  t.match(older, {
    verdict: 'unexplained',
    unreached: { line: 2 + 7, recorded: /^IA32_PEBS_ENABLE := 0x8000000000000001/ },
  });
  t.ok(
    older?.unreached?.instead.includes('IA32_PEBS_ENABLE := 0x0000000000000001 outside any NMI'),
  );
  t.match(newer, {
    verdict: 'unexplained',
    unreached: { line: 2 + 2, instead: ['exit of vCPU 0, not by an NMI'] },
  });
  t.equal(newer?.unreached?.instead.length, 1, 'nothing is told twice');
});

t.test('a window, a CPU, and nothing to explain', async (t) => {
  const id = await observationOf(TRACE);
  const asked = { kernel: 'linux-7.2.6', cpu_model: 'emerald-rapids' };
  const window = { first_line: 3, last_line: 5 };
  t.match(bodyOf(t, await ask(id, { ...asked, window }), ExplanationSchema), { records: 3 });
  t.match(bodyOf(t, await ask(id, { ...asked, cpu: 1 }), ExplanationSchema), {
    cpu: 1,
    records: 1,
  });
  for (const [where, error] of [
    [{ cpu: 300 }, /^There are no records of CPU 300 to explain/],
    [{ window: { first_line: 900 } }, /^There are no records in the window to explain/],
  ] as const) {
    const found = bodyOf(t, await ask(id, { ...asked, ...where }), ExplanationSchema);
    t.match(found, { state: 'failed', error });
  }
});

t.test('a machine has more CPUs than a host', async (t) => {
  const id = await observationOf(TRACE.map((text) => text.replace('[000]', '[300]')));
  const asked = { kernel: 'linux-7.2.6', cpu_model: 'emerald-rapids', cpu: 300 };
  const found = bodyOf(t, await ask(id, asked), ExplanationSchema);
  t.match(found, { cpu: 300, records: 10, fits: ['linux-7.2.6'] });
});

t.test('the CPU model is what the facts identify', async (t) => {
  const asked = { kernel: 'linux-7.2.6' };
  const modelOf = async (facts: string) => {
    const answer = await ask(await observationOf(TRACE, `?${facts}`), asked);
    const [item] = bodyOf(t, answer, ExplanationSchema).kernels;
    return item?.model?.cpu_model;
  };
  t.equal(await modelOf('cpu_family=6&cpu_model=207'), 'emerald-rapids');
  t.equal(await modelOf('cpu_family=6&cpu_model=85&cpu_stepping=4'), 'skylake-sp');
  t.equal(await modelOf('cpu_family=6&cpu_model=85&cpu_stepping=7'), 'cascade-lake');
  for (const facts of ['cpu_family=6&cpu_model=85', 'cpu_family=6&cpu_model=1']) {
    const id = await observationOf(TRACE, `?${facts}`);
    problemOf(t, await ask(id, asked), 'rule_violated');
  }
});

t.test('lists: of one observation, and of all', async (t) => {
  const [one, other] = [await observationOf(TRACE), await observationOf(TRACE)];
  const explain = async (id: string, kernel: string) => {
    const asked = { kernel, cpu_model: 'emerald-rapids' };
    return bodyOf(t, await ask(id, asked), ExplanationSchema);
  };
  const fits = await explain(one, 'linux-7.2.6');
  const fails = await explain(one, 'linux-7.3.4');
  const elsewhere = await explain(other, 'linux-7.2.6');
  const listed = async (path: string) =>
    bodyOf(t, await app.inject(`/v1/${path}`), ExplanationPageSchema);
  const ids = async (path: string) => (await listed(path)).items.map(({ id }) => id);

  const of = `observations/${one}/explanations`;
  t.strictSame(await ids(of), [fails.id, fits.id]);
  t.strictSame(await ids(`${of}?sort=oldest`), [fits.id, fails.id]);
  t.strictSame(await ids(`${of}?verdict=explained`), [fits.id]);
  t.strictSame(await ids(`${of}?state=failed`), []);
  t.strictSame(await ids(`${of}?kernel=upstream-base`), [fits.id], 'an alias');
  const page = await listed(`${of}?limit=1`);
  t.match(page, { items: [{ id: fails.id }], has_more: true });
  t.strictSame(await ids(`${of}?limit=1&cursor=${page.next_cursor}`), [fits.id]);
  t.strictSame(await ids('explanations?limit=3'), [elsewhere.id, fails.id, fits.id]);
  t.strictSame(await ids(`observations/${other}/explanations`), [elsewhere.id]);

  const [item] = (await listed(`${of}?verdict=explained`)).items;
  const { host, script, story, ...short } = fits.kernels[0]!;
  t.ok(host && script && story, 'the explanation itself has its schedule');
  t.strictSame(item, { ...fits, kernels: [short] });

  problemOf(t, await app.inject('/v1/observations/obs_0/explanations'), 'not_found');
  problemOf(t, await app.inject(`/v1/${of}?verdict=holds`), 'validation');
  problemOf(t, await app.inject('/v1/explanations?kernel=v7'), 'unknown_name');
});

t.test('an observation takes its explanations with it', async (t) => {
  const id = await observationOf(TRACE);
  const found = bodyOf(
    t,
    await ask(id, { kernel: 'linux-7.2.6', cpu_model: 'emerald-rapids' }),
    ExplanationSchema,
  );
  const gone = await app.inject({ method: 'DELETE', url: `/v1/observations/${id}` });
  t.equal(gone.statusCode, 204);
  problemOf(t, await app.inject(`/v1/explanations/${found.id}`), 'not_found');
  const last = async () => (await app.inject(`/v1/events?subject=${found.id}`)).json().items.at(-1);
  const wanted = { type: 'explanation.deleted' };
  t.match(
    await eventually(last, (event?: { type: string }) => event?.type === wanted.type),
    wanted,
  );
});

t.test('what cannot be meant is refused, naming the field', async (t) => {
  const id = await observationOf(TRACE);
  const good = { kernel: 'linux-7.2.6', cpu_model: 'emerald-rapids' };
  for (const [payload, code, pointer] of [
    [{ ...good, kernel: 'v7' }, 'unknown_name', '/kernel'],
    [{ ...good, kernels: ['linux-7.2.6'] }, 'rule_violated', '/kernel'],
    [{ ...good, cpu_model: 'EMR' }, 'unknown_name', '/cpu_model'],
    [{ kernel: 'linux-7.2.6' }, 'rule_violated', '/cpu_model'],
    [{ ...good, model: { events: [{ counter: 'PMC15' }] } }, 'rule_violated', '/model/events/0'],
    [{ ...good, windw: {} }, 'validation', '/windw'],
    [{ ...good, window: { first_line: 5, last_line: 4 } }, 'rule_violated', '/window'],
  ] as const) {
    const problem = problemOf(t, await ask(id, payload), code);
    t.match(problem.errors?.[0]?.pointer, new RegExp(`^${pointer}`), JSON.stringify(payload));
  }
  problemOf(t, await ask('obs_0', good), 'not_found');
});

t.test('it can be cancelled and deleted', async (t) => {
  const id = await observationOf(TRACE);
  const asked = { kernel: 'linux-7.2.6', cpu_model: 'emerald-rapids' };
  const found = bodyOf(t, await ask(id, asked), ExplanationSchema);
  const url = `/v1/explanations/${found.id}`;
  const cancelled = await app.inject({ method: 'POST', url: `${url}/cancel` });
  t.strictSame(bodyOf(t, cancelled, ExplanationSchema), found, 'one that has ended stays');
  t.equal((await app.inject({ method: 'DELETE', url })).statusCode, 204);
  problemOf(t, await app.inject(url), 'not_found');
});
