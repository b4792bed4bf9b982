/** The stuck-PEBS_ENABLE race: semantics.md §7.2 to §7.5. */
import t from 'tap';
import { KERNELS } from '../../src/pmu/kernels/index.js';
import * as actions from '../../src/pmu/machine/actions.js';
import { isBlocked, nextStep } from '../../src/pmu/machine/advance.js';
import { GUEST, nmiMayLandAfter, STEP_NAMES, stepCode } from '../../src/pmu/machine/micro-step.js';
import { EXIT_EXTERNAL_INTERRUPT, IDLE } from '../../src/pmu/machine/state.js';
import { capsOf, type Machine, machine, names, present, set } from './machine.js';

const K1_RUN = 'haswell-x';
const K2_STATE = 'ice-lake';
const K3_CROSS_MAPPED = 'emerald-rapids';
const K4 = 'diamond-rapids';

/** One host :pp event on PMC0 and a vCPU, at rest. */
function pebsHost(model: string, kernel: string): Machine {
  // With adaptive PEBS the record also has the general-purpose registers, so that MSR_PEBS_DATA_CFG is 2 as in the sheet.
  const dataCfg = capsOf(model).pebsBaseline ? 2 : null;
  const wish = { counter: 'PMC0', preciseIp: 2, excludeGuest: true, dataCfg };
  return machine(model, kernel).event(wish).vcpu();
}

const throttlePmc0 = { throttle: ['PMC0'] };

/** P, IA32_PEBS_ENABLE and, of IA32_PERF_GLOBAL_CTRL, what is missing from intel_ctrl. */
function row(m: Machine): string {
  const { cpuc, hardware } = m.cpu;
  const missing =
    hardware.globalCtrl === 0 ? '0' : `I-${names(m.world.caps.intelCtrl & ~hardware.globalCtrl)}`;
  return `P ${names(cpuc.pebsEnabled)}, PE ${m.pe()}, GC ${missing.replace('I--', 'I')}`;
}

for (const model of ['sapphire-rapids', K3_CROSS_MAPPED, K1_RUN]) {
  t.test(`${model}: the race of the sheet, t0 to t7, before the series`, async (t) => {
    const m = pebsHost(model, 'upstream-base');
    t.equal(row(m), 'P PMC0, PE PMC0, GC I', 't0');
    t.equal(names(m.cpu.cpuc.intelCtrlHostMask), 'PMC0', 't0: HM');

    m.runTo('k4_list_build');
    t.equal(row(m), 'P PMC0, PE PMC0, GC I', 't1');
    m.writes();
    m.runTo('k5_switch:IA32_PEBS_ENABLE');
    t.equal(row(m), 'P PMC0, PE -, GC I', 't2: KVM quiesces');
    t.strictSame(m.writesVia(), ['kvm_wrmsr IA32_PEBS_ENABLE=-'], 't2');
    const areas = ['IA32_DS_AREA 0/1', 'MSR_PEBS_DATA_CFG 0/2', 'IA32_PEBS_ENABLE -/PMC0'];
    t.strictSame(m.areas(), model === K1_RUN ? areas.slice(2) : areas, 't2: PE 1/0 in the areas');

    m.nmi(throttlePmc0);
    t.strictSame(
      m.writes(),
      [
        'n1 IA32_PERF_GLOBAL_CTRL=-', // t3
        'n3 IA32_PERF_GLOBAL_STATUS_RESET=0x4000000000000000',
        `stop IA32_PERFEVTSEL0=${model === K1_RUN ? '0x30080' : '0x400030080'}`, // t4
        'n5 IA32_PEBS_ENABLE=-',
        `n9 IA32_PERF_GLOBAL_CTRL=${names(m.world.caps.intelCtrl)}`, // t5
      ],
      't3 to t5',
    );
    t.equal(row(m), 'P -, PE -, GC I', 't5');
    t.equal(m.status(0), 'throttled');
    t.equal(names(m.cpu.cpuc.intelCtrlHostMask), '-', 't4: HM 0');

    m.runTo('v2_entry_load');
    t.equal(row(m), 'P -, PE -, GC I-PMC0', 't6: the guest value of GC is stale too, harmless');
    m.finish();
    t.equal(row(m), 'P -, PE PMC0, GC I', 't7: stuck');
    t.strictSame(m.violated(), ['I1', "I2'", 'I8']);
    t.equal(m.firstViolation('I1'), 'k11_host');
  });

  t.test(
    `${model}: t8 to t10, the stuck bit outlives its event and hits the next one`,
    async (t) => {
      const m = pebsHost(model, 'upstream-base').event({ counter: 'PMC1' });
      m.roundTrip({ nmi: { after: 'k5_switch:IA32_PEBS_ENABLE', ...throttlePmc0 } });
      m.writes();
      m.close(0);
      t.notOk(
        m.writes().some((write) => write.includes('PEBS') || write.includes('EVTSEL')),
        't8: the delete',
      );
      m.section();
      t.equal(row(m), 'P -, PE PMC0, GC I', 't8: survives PMU sections');

      m.runTo('k8_prepare');
      t.notOk(
        m.areas().some((entry) => entry.startsWith('IA32_PEBS_ENABLE')),
        't9: 0=0 is cleared',
      );
      m.run.enter(0, EXIT_EXTERNAL_INTERRUPT);
      t.equal(m.pe(), 'PMC0', 't9: the guest runs with the bit set');
      m.leave();

      m.event({ counter: 'PMC0' });
      t.strictSame(
        m.violated(),
        ['I1', "I2'", 'I13', 'I8'],
        't10: its overflows will be PEBS records',
      );
      m.enter();
      t.ok(m.violated().includes('I3s'), 't10: in the guest too');
      m.latch(['PMC0']).leave();
      m.writes();
      t.notOk(
        m
          .nmi()
          .writes()
          .some((write) => write.startsWith('n7')),
        'the interrupt never reaches the event',
      );
      t.equal(m.stuck(), 'PMC0');
    },
  );

  t.test(`${model}: t8', a tick that comes first heals the bit`, async (t) => {
    const m = pebsHost(model, 'upstream-base');
    m.roundTrip({ nmi: { after: 'k5_switch:IA32_PEBS_ENABLE', ...throttlePmc0 } });
    m.tick();
    t.equal(row(m), 'P PMC0, PE PMC0, GC I');
    t.equal(m.status(0), 'active');
  });
}

t.test('the overflow stolen by a stuck bit becomes a record, not a status bit', async (t) => {
  const m = pebsHost(K1_RUN, 'upstream-base');
  m.roundTrip({ nmi: { after: 'k8_prepare', ...throttlePmc0 } }).close(0);
  m.event({ counter: 'PMC0' }).latch(['PMC0']);
  t.equal(names(m.cpu.hardware.dsRecords), 'PMC0');
  t.equal(names(m.cpu.hardware.status), '-');
});

/**
 * Every schedule of one overflow of PMC0 and the NMI that throttles it, each at any position of one run: the overflow only
 * where the counter counts, the NMI only where one may land. Returns the NMI positions after which a bit is stuck at rest.
 */
function stuckPositions(
  model: string,
  kernel: string,
): { stuck: Set<string>; schedules: number; overflowPositions: Set<string> } {
  const stuck = new Set<string>();
  const overflowPositions = new Set<string>();
  let schedules = 0;
  const length = walkLength(model, kernel);
  for (let overflowAt = 0; overflowAt <= length; overflowAt += 1) {
    for (let nmiAt = overflowAt; nmiAt <= length; nmiAt += 1) {
      const result = schedule(pebsHost(model, kernel), overflowAt, nmiAt);
      if (result === null) {
        continue;
      }
      schedules += 1;
      if (result.m.stuck() !== '-') {
        stuck.add(result.nmi);
        overflowPositions.add(result.overflow);
      }
    }
  }
  return { stuck, schedules, overflowPositions };
}

function walkLength(model: string, kernel: string): number {
  const m = pebsHost(model, kernel);
  m.steps();
  return m.roundTrip().steps().length;
}

/** Null where the overflow or the NMI cannot happen there. */
function schedule(
  m: Machine,
  overflowAt: number,
  nmiAt: number,
): { m: Machine; overflow: string; nmi: string } | null {
  const { run, cpu } = m;
  run.act(actions.START_RUN, 0, 0);
  let overflow: string | null = null;
  let nmi: string | null = null;
  for (let position = 0; ; position += 1) {
    const at = STEP_NAMES[cpu.pc]!;
    if (position === overflowAt) {
      if (m.state.events[0]!.status === 0 || !accepts(m, actions.LATCH, set(['PMC0']), 0)) {
        return null;
      }
      m.latch(['PMC0']);
      overflow = at;
    }
    // Proposal e3 waits for the NMI: it has to come here.
    const blocked = cpu.operation !== IDLE && isBlocked(m.world, m.state, cpu);
    if (overflow !== null && nmi === null && (position === nmiAt || blocked)) {
      if (
        position !== nmiAt ||
        !nmiMayLandAfter(cpu.pc) ||
        !accepts(m, actions.NMI, 0, set(['PMC0']))
      ) {
        return null;
      }
      m.nmi(throttlePmc0);
      nmi = at;
    }
    if (cpu.operation === IDLE) {
      return overflow !== null && nmi !== null ? { m, overflow, nmi } : null;
    }
    run.advance(cpu);
    if (cpu.pc === GUEST && cpu.exitReason === 0) {
      run.act(actions.SET_EXIT, 0, 0, EXIT_EXTERNAL_INTERRUPT);
    }
  }
}

function accepts(m: Machine, kind: number, value: number, throttle: number): boolean {
  return actions.refusal(m.world, m.state, { kind, cpu: 0, target: 0, value, throttle }) === null;
}

// §7.3: which class is vulnerable with which kernel. S61 is the landed series' first half: its PE behaviour is the same.
const MATRIX: Readonly<Record<string, readonly string[]>> = {
  'linux-7.2.6': [K1_RUN, K3_CROSS_MAPPED, 'ice-lake-sp'],
  'linux-6.12.107': [K1_RUN, K3_CROSS_MAPPED, 'ice-lake-sp'],
  'linux-6.1.187': [K1_RUN, 'ice-lake-sp'],
  'pebs-v1': [K1_RUN],
  'pebs-v2-1of4': [K1_RUN],
  'pebs-v2-2of4': [K1_RUN],
  'pebs-v2-3of4': [K1_RUN],
  'pebs-v2-4of4': [K1_RUN],
  'linux-6.1.192': [K1_RUN],
  'linux-6.6.158': [K1_RUN],
  'linux-6.12.117': [K1_RUN],
  'linux-6.18.55': [K1_RUN],
  'linux-7.3.4': [K1_RUN],
  'zero-global-ctrl-e1': [K1_RUN],
  'zero-global-ctrl-e2': [K1_RUN],
  'zero-global-ctrl-e3': [],
  'post-exit-fixup': [],
  'pebs-handler-guard': [K1_RUN],
  'pebs-enable-all-always': [K1_RUN],
  'never-switch-pebs-enable': [],
  'linux-6.12.27': [K1_RUN, K3_CROSS_MAPPED, 'ice-lake-sp'],
  'linux-6.6': [K1_RUN, K3_CROSS_MAPPED, 'ice-lake-sp'],
  'linux-6.4-rc2': [K1_RUN, K3_CROSS_MAPPED, 'ice-lake-sp'],
  'linux-6.1': [K1_RUN, 'ice-lake-sp'],
  'linux-5.6': [K1_RUN],
  'linux-6.19': [K1_RUN, K3_CROSS_MAPPED, 'ice-lake-sp'],
  'linux-6.16': [K1_RUN, K3_CROSS_MAPPED, 'ice-lake-sp'],
  'linux-5.11': [K1_RUN],
  'metrics-never-precise': [K1_RUN],
  // Changes to perf's host side leave KVM's stale list as it is.
  'pebs-handler-compares-last': [K1_RUN],
  'pebs-enable-all-recheck': [K1_RUN],
  'fixed-ctrl-recheck': [K1_RUN],
  'fixed-ctrl-handler-clears': [K1_RUN],
  'fixed-ctrl-always': [K1_RUN],
  'host-side-hardened': [K1_RUN],
};

for (const kernel of KERNELS) {
  const vulnerable = MATRIX[kernel.id];
  for (const model of [K1_RUN, K2_STATE, K3_CROSS_MAPPED, 'ice-lake-sp', K4]) {
    if (model === K4 && !kernel.support.archPebs) {
      continue; // perf takes no precise event there.
    }
    t.test(`${kernel.id} on ${model}`, async (t) => {
      const { stuck, schedules } = stuckPositions(model, kernel.id);
      t.ok(schedules > 10, `${schedules} schedules`);
      const verdict = stuck.size > 0 ? 'vulnerable' : 'immune';
      if (vulnerable === undefined) {
        t.comment(`no expectation yet: ${kernel.id} on ${model} is ${verdict}`);
        return;
      }
      const expected = vulnerable.includes(model) ? 'vulnerable' : 'immune';
      t.equal(verdict, expected, [...stuck].join(' '));
    });
  }
}

// §7.4, a position a row. An NMI right after k4 lands between the list and KVM's PE:=0.
const POSITIONS: readonly (readonly [string, 'fine' | 'stuck'])[] = [
  ['k0_irq_off', 'fine'],
  ['k1_run', 'fine'],
  ['k2_state', 'fine'],
  ['k3_cross_mapped', 'fine'],
  ['k4_read_masks', 'fine'],
  ['k4_list_build', 'stuck'],
  ['k5_switch:IA32_PERF_GLOBAL_CTRL', 'stuck'],
  ['k5_switch:IA32_PEBS_ENABLE', 'stuck'],
  ['k6_timer', 'stuck'],
  ['k7_lapic_wait', 'stuck'],
  ['k8_prepare', 'stuck'],
  ['v3_inject', 'fine'],
  ['guest', 'fine'],
  ['k11_host', 'fine'],
  ['k12_fastpath', 'fine'],
  ['k13_irq_on', 'fine'],
];

for (const model of [K1_RUN, K3_CROSS_MAPPED]) {
  t.test(
    `${model}: where a throttling NMI must land to leave a bit stuck, before the series`,
    async (t) => {
      for (const [after, expected] of POSITIONS) {
        const m = pebsHost(model, 'upstream-base');
        m.roundTrip({ nmi: { after, ...throttlePmc0 } });
        t.equal(m.stuck() === '-' ? 'fine' : 'stuck', expected, after);
        t.equal(m.status(0), 'throttled', `${after}: the event is throttled`);
      }
    },
  );

  t.test(`${model}: an NMI inside VM-entry or VM-exit is refused`, async (t) => {
    for (const after of [
      'k9_vmlaunch',
      'v1_guest_state',
      'v2_entry_load',
      'v4_save',
      'v5_host_state',
      'v6_exit_load',
    ]) {
      t.notOk(nmiMayLandAfter(present(stepCode(after), after)), after);
      t.throws(
        () => pebsHost(model, 'upstream-base').roundTrip({ nmi: { after, ...throttlePmc0 } }),
        /no NMI can land/,
      );
    }
  });
}

t.test(
  'torn list: an NMI inside k4 makes the guest miss a stopped counter, and no more',
  async (t) => {
    const m = pebsHost(K3_CROSS_MAPPED, 'upstream-base');
    m.enter({ nmi: { after: 'k4_read_masks', ...throttlePmc0 } });
    t.equal(names(m.world.caps.intelCtrl & ~m.gc()), 'PMC0', 'the mask part is old');
    t.strictSame(m.areas(), ['IA32_DS_AREA 0/1', 'MSR_PEBS_DATA_CFG 0/2'], 'the PEBS part is new');
    m.leave();
    t.strictSame(m.violated(), []);
  },
);

t.test(
  'overshoot: an NMI that leaves another PEBS event makes IA32_PEBS_ENABLE live again after the quiescing write',
  async (t) => {
    for (const after of ['k5_switch:IA32_PEBS_ENABLE', 'k6_timer', 'k7_lapic_wait', 'k8_prepare']) {
      const m = pebsHost(K1_RUN, 'linux-6.12.117').event({
        counter: 'PMC1',
        preciseIp: 2,
        excludeGuest: true,
      });
      m.run.injections.set([]);
      m.runTo(after).nmi(throttlePmc0);
      t.equal(m.pe(), 'PMC1', after);
      m.finish();
      t.strictSame(m.violated(), ['I1', 'I3o', 'I12', 'I3', 'I8'], after);
      t.equal(m.stuck(), 'PMC0', `${after}: and the exit loads the old value`);
    }
  },
);

t.test('a branch snapshot overshoots in the same way without any throttling', async (t) => {
  const m = pebsHost(K1_RUN, 'linux-6.12.117').runTo('k7_lapic_wait').snapshot();
  t.equal(m.pe(), 'PMC0');
  m.finish();
  t.strictSame(m.violated(), ['I3o', 'I12', 'I3'], 'nothing is stuck: perf wants the bit');
});

t.test('e1: any NMI turns the PMU on again, e2 keeps it off', async (t) => {
  const afterForeignNmi = (kernel: string): string =>
    row(pebsHost(K1_RUN, kernel).runTo('k7_lapic_wait').nmi());
  t.equal(afterForeignNmi('zero-global-ctrl-e1'), 'P PMC0, PE -, GC I');
  t.equal(afterForeignNmi('zero-global-ctrl-e2'), 'P PMC0, PE -, GC 0');
  t.equal(afterForeignNmi('zero-global-ctrl-e3'), 'P PMC0, PE -, GC 0');
});

t.test(
  'e2 is vulnerable on K1 only through a PMI that was pending before it zeroed the register',
  async (t) => {
    const { stuck, overflowPositions } = stuckPositions(K1_RUN, 'zero-global-ctrl-e2');
    t.ok(stuck.size > 0);
    t.strictSame([...overflowPositions].sort(), [
      'k0_irq_off',
      'k1_run',
      'k2_state',
      'k3_cross_mapped',
      'rest',
    ]);
    const landed = stuckPositions(K1_RUN, 'linux-6.12.117').overflowPositions;
    t.ok(landed.has('k7_lapic_wait'), 'the landed kernel also through one in the window');
  },
);

t.test('e3 does not go on while a PMI is pending', async (t) => {
  const m = pebsHost(K1_RUN, 'zero-global-ctrl-e3').runTo('k3_cross_mapped').latch(['PMC0']);
  m.runTo('k3_zero_global_ctrl');
  t.equal(STEP_NAMES[nextStep(m.world, m.state, m.cpu)], 'k3_drain_pmi');
  t.throws(() => m.run.advance(m.cpu), /no PMI is pending/);
  m.nmi(throttlePmc0).finish();
  t.equal(row(m), 'P -, PE -, GC I');
  t.strictSame(m.violated(), []);
});

t.test(
  'e2 and e3: an NMI between the exit loads and `enabled := 1` leaves GLOBAL_CTRL 0 until the next section or NMI',
  async (t) => {
    for (const kernel of ['zero-global-ctrl-e2', 'zero-global-ctrl-e3']) {
      const m = pebsHost(K1_RUN, kernel).roundTrip({ nmi: { after: 'k11_host' } });
      t.equal(row(m), 'P PMC0, PE PMC0, GC 0', 'n9 found the PMU off');
      t.strictSame(m.violated(), ['I7', 'I7e'], 'the events of the host do not count');
      t.equal(row(m.nmi()), 'P PMC0, PE PMC0, GC I');
    }
  },
);

t.test('f repairs the stale value after a short window', async (t) => {
  const m = pebsHost(K1_RUN, 'post-exit-fixup').runTo('k8_prepare').nmi(throttlePmc0);
  m.runTo('k11_host');
  t.equal(m.stuck(), 'PMC0', 'stale between the exit loads and the repair');
  m.runTo('k11_fix_up');
  t.equal(m.stuck(), '-');
  m.finish();
  t.strictSame(m.violated(), ['I8'], 'the list was stale, the register is not');
});

t.test('f writes nothing when the list was fresh', async (t) => {
  const m = pebsHost(K1_RUN, 'post-exit-fixup');
  m.writes();
  t.notOk(
    m
      .roundTrip()
      .writes()
      .some((write) => write.startsWith('fix-up')),
  );
});

/** A host with PMC0 stuck and the throttled event still open. */
function stuckHost(model = K3_CROSS_MAPPED, kernel = 'upstream-base'): Machine {
  const m = pebsHost(model, kernel).roundTrip({ nmi: { after: 'k8_prepare', ...throttlePmc0 } });
  m.writes();
  return m;
}

t.test('what takes a stuck bit out', async (t) => {
  const healed = (m: Machine): boolean => t.equal(m.stuck(), '-');
  healed(stuckHost().event({ counter: 'PMC1', preciseIp: 2 }));
  healed(stuckHost().tick());
  healed(stuckHost().disable(0).enable(0));
  // A plain event does it too while the throttled one is open: its opening reschedules both.
  healed(stuckHost().event({ counter: 'PMC1' }));
  // n5 with P changed; the other event was there all along, so P is not 0.
  const two = pebsHost(K3_CROSS_MAPPED, 'upstream-base').event({
    counter: 'PMC1',
    preciseIp: 2,
    excludeGuest: true,
  });
  two.roundTrip({ nmi: { after: 'k8_prepare', ...throttlePmc0 } });
  t.equal(two.stuck(), 'PMC0');
  healed(two.nmi({ throttle: ['PMC1'] }));
  const other = pebsHost(K3_CROSS_MAPPED, 'upstream-base').event({
    counter: 'PMC1',
    preciseIp: 2,
    excludeGuest: true,
  });
  other.roundTrip({ nmi: { after: 'k8_prepare', ...throttlePmc0 } });
  t.equal(other.stuck(), 'PMC0');
  healed(other.snapshot());
  // A later k5 with P not 0, and an exit load of the fresh value.
  const later = pebsHost(K1_RUN, 'upstream-base').event({
    counter: 'PMC1',
    preciseIp: 2,
    excludeGuest: true,
  });
  later.roundTrip({ nmi: { after: 'k8_prepare', ...throttlePmc0 } });
  healed(later.roundTrip());
});

t.test('what does not take a stuck bit out', async (t) => {
  const still = (m: Machine, what: string): boolean => t.equal(m.stuck(), 'PMC0', what);
  still(stuckHost().section(), 'a PMU section with P 0');
  still(stuckHost().disable(0), 'disabling the throttled event');
  still(stuckHost().close(0), 'closing it: the DS areas are released too');
  still(stuckHost().close(0).event({ counter: 'PMC1' }), 'a plain event, once it is closed');
  still(stuckHost().disable(0).event({ counter: 'PMC1' }), 'a plain event, once it is disabled');
  still(stuckHost().nmi(), 'a foreign NMI');
  const beside = pebsHost(K3_CROSS_MAPPED, 'upstream-base').event({ counter: 'PMC1' });
  beside.roundTrip({ nmi: { after: 'k8_prepare', ...throttlePmc0 } });
  still(beside.nmi({ overflow: ['PMC1'] }), 'a plain overflow');
  still(beside.close(1), 'the end of another event');
  still(stuckHost().snapshot(), 'a branch snapshot with P 0');
  still(stuckHost().roundTrip().roundTrip({ exit: 'hlt' }), 'round trips');
  still(stuckHost().close(0).event({ counter: 'PMC2' }), 'reserving the DS areas again');
  still(stuckHost(K1_RUN, 'linux-6.12.117').roundTrip(), 'a round trip without isolation');
});

// H7: v1 returns no DS and CFG entries once the guest stops using PEBS, and nobody clears them.
t.test('v1 leaves a stale DS_AREA entry that a migrated vCPU loads on the wrong CPU', async (t) => {
  const drive = (kernel: string): Machine => {
    const m = machine(K3_CROSS_MAPPED, kernel, { cpus: 2 });
    m.event({ counter: 'FIXED1' }).event({ counter: 'FIXED1', cpu: 1 }).vcpu();
    return m.roundTrip().guestPebs([0]).roundTrip();
  };
  const v1 = drive('pebs-v1');
  v1.guest('IA32_PEBS_ENABLE', 0).roundTrip();
  t.match(v1.areas(), [/^IA32_DS_AREA \d+\/1$/, /^MSR_PEBS_DATA_CFG/], 'stale, but of this CPU');
  t.notOk(v1.violated().includes('I5h'));
  v1.migrate(0, 1).roundTrip();
  t.equal(v1.cpuOf(1).hardware.dsArea, 1, "CPU 1 has CPU 0's DS area loaded");
  t.strictSame(v1.violated(), ['I5h', 'I8', 'I9']);

  const v2 = drive('pebs-v2');
  v2.guest('IA32_PEBS_ENABLE', 0).roundTrip();
  t.strictSame(v2.areas(), [], 'v2 returns them equal, so KVM clears them');
  v2.migrate(0, 1).roundTrip();
  t.equal(v2.cpuOf(1).hardware.dsArea, 2);
  t.strictSame(v2.violated(), []);
});

// H6: a late microcode load turns K1 into K2 while the register sits in a vCPU's areas.
t.test('a late microcode load freezes IA32_PEBS_ENABLE in the areas', async (t) => {
  const m = pebsHost(K1_RUN, 'linux-6.12.117').roundTrip();
  m.loadMicrocode().close(0).event({ counter: 'PMC1' });
  m.writes();
  m.roundTrip();
  t.notOk(
    m.writesVia().some((write) => write.startsWith('kvm_wrmsr')),
    'nobody quiesces any more',
  );
  t.strictSame(m.areas(), ['IA32_PEBS_ENABLE -/PMC0'], 'the entry is never cleared');
  t.equal(m.stuck(), 'PMC0', 'every exit loads an ancient value');
  t.strictSame(m.violated(), ['I1', "I2'", 'I8', 'I9']);
});

// §7.5
t.test(
  'an NMI that throttles a guest-only event makes GLOBAL_CTRL differ in value without effect',
  async (t) => {
    const m = machine(K3_CROSS_MAPPED, 'linux-6.12.117')
      .event({ counter: 'PMC0', excludeHost: true })
      .vcpu();
    m.roundTrip({ nmi: { after: 'k8_prepare', ...throttlePmc0 } });
    t.equal(names(m.world.caps.intelCtrl & ~m.gc()), 'PMC0', 'the stale host field is loaded');
    t.strictSame(m.violated(), ['I7']);
    t.notOk(m.violated().includes('I7e'), 'PMC0 is off in its own control register');
    m.section();
    t.equal(m.gc(), m.world.caps.intelCtrl, 'the next e6 repairs it');
  },
);

t.test('with GLOBAL_CTRL left out of the switch nothing stale is loaded', async (t) => {
  const m = machine(K3_CROSS_MAPPED, 'linux-6.12.117').event({ counter: 'PMC0' }).vcpu();
  m.roundTrip({ nmi: { after: 'k8_prepare', ...throttlePmc0 } });
  t.equal(m.vcpuOf(0).loadGlobalCtrl, 0);
  t.strictSame(m.violated(), []);
});
