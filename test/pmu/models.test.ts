import fc from 'fast-check';
import t from 'tap';
import { ADDRESSES_MAX, AddressBook } from '../../src/pmu/arch/address-book.js';
import {
  COUNTERS,
  countBits,
  counterBit,
  counterName,
  counterNames,
  FIXED,
  fixed,
  fromU64,
  generalPurpose,
  lowestBit,
  PEBS_VIA_PT,
  PERF_METRICS,
  toU64,
} from '../../src/pmu/arch/counter-set.js';
import { intelCtrl, isIsolated, platformClass } from '../../src/pmu/arch/cpu-model.js';
import { CPU_MODELS, findCpuModel, isOfModel } from '../../src/pmu/arch/cpu-models.js';
import { Hardware, loadMsr, readMsr } from '../../src/pmu/arch/hardware.js';
import {
  COUNTER,
  EVENTSEL,
  MSR_CODES,
  msrCode,
  msrIndex,
  msrName,
} from '../../src/pmu/arch/msr.js';
import { OLDER_CPU_MODELS } from '../../src/pmu/arch/older-cpu-models.js';
import { findKernel } from '../../src/pmu/kernels/index.js';
import { isIsolatedOn, pebsCapable } from '../../src/pmu/kernels/pmu-support.js';
import { planOpen } from '../../src/pmu/perf/open-rules.js';
import { NO_COUNTER } from '../../src/pmu/perf/perf-event.js';
import { capsOf, names, present, requestOf, u64 } from './machine.js';

const NEWEST = present(findKernel('linux-7.3.4'), 'linux-7.3.4');

const hex = (value: { hi: number; lo: number }): string =>
  `0x${((BigInt(value.hi) << 32n) | BigInt(value.lo)).toString(16)}`;

// §2.1: version, GP counters with hyper-threading on, fixed counters, PEBS format, baseline, ept, intel_ctrl.
// Sierra Forest's format was not read; the row assumes 4, with which perf leaves pebs_ept 0.
const SHEET_ROWS = `
haswell-x       3  4 3 2    0 0 0x70000000f
broadwell-x     3  4 3 2    0 0 0x70000000f
skylake-sp      4  4 3 3    0 0 0x70000000f
cascade-lake    4  4 3 3    0 0 0x70000000f
ice-lake-sp     5  8 4 4    1 1 0x1000f000000ff
ice-lake        5  8 4 4    1 0 0x1000f000000ff
sapphire-rapids 5  8 4 4    1 1 0x1000f000000ff
emerald-rapids  5  8 4 4    1 1 0x1000f000000ff
granite-rapids  5  8 4 >=4  1 1 0x1000f000000ff
sierra-forest   5  8 3 4    1 0 0x7000000ff
alder-lake-p    5  8 4 4    1 0 0x1000f000000ff
diamond-rapids  6 10 4 arch - 1 -`;

t.test('every CPU model has the counters and flags of its row in the sheet', async (t) => {
  for (const row of SHEET_ROWS.trim().split('\n')) {
    const [id = '', version, gp, fixedCounters, format = '', baseline, ept, ctrl] =
      row.split(/\s+/);
    const model = present(findCpuModel(id), id);
    const caps = capsOf(id);
    t.equal(model.perfmonVersion, Number(version), `${id}: perfmon version`);
    t.equal(model.generalPurpose, Number(gp), `${id}: general-purpose counters`);
    t.equal(model.fixed, Number(fixedCounters), `${id}: fixed counters`);
    t.equal(caps.pebsEpt, ept === '1', `${id}: pebs_ept`);
    t.equal(caps.dsPebs, format !== 'arch', `${id}: DS-based PEBS`);
    t.equal(caps.pebsEnableMsr, format !== 'arch', `${id}: IA32_PEBS_ENABLE exists`);
    t.equal(caps.loadPerfGlobalCtrl, true, `${id}: VMCS controls load GLOBAL_CTRL`);
    if (format.startsWith('>=')) {
      t.ok(model.pebs.format >= Number(format.slice(2)), `${id}: PEBS format`);
    } else if (format !== 'arch') {
      t.equal(model.pebs.format, Number(format), `${id}: PEBS format`);
      t.equal(caps.pebsBaseline, baseline === '1', `${id}: PEBS_BASELINE`);
    }
    if (ctrl !== '-') {
      t.equal(hex(toU64(intelCtrl(model))), ctrl, `${id}: intel_ctrl`);
    }
    const capable = model.perfmonVersion < 5 ? '0xffffffff' : '0xffffffffffffffff';
    t.equal(hex(pebsCapable(NEWEST, model)), capable, `${id}: pebs_capable`);
    t.ok(model.sources.length > 0, `${id}: names its sources`);
  }
});

const ALL_MODELS = [...CPU_MODELS, ...OLDER_CPU_MODELS];
const EVERY_STEPPING = Array.from({ length: 16 }, (_, stepping) => stepping);

t.test('model ids are unique and unknown ones are unknown', async (t) => {
  const ids = ALL_MODELS.map(({ id }) => id);
  t.strictSame([...new Set(ids)], ids, 'in the catalogue and among the older models');
  t.equal(findCpuModel('pentium'), undefined);
});

t.test('a CPU is of one model, those that can only be identified included', async (t) => {
  for (const { id, family, model, otherModels = [], steppings = EVERY_STEPPING } of ALL_MODELS) {
    const rows = ALL_MODELS.filter((row) =>
      [model, ...otherModels].some((number) =>
        steppings.some((stepping) => isOfModel(row, family, number, stepping)),
      ),
    );
    t.strictSame(
      rows.map((row) => row.id),
      [id],
      `no other row has a CPU of ${id}`,
    );
  }
});

// §2.1, the microcode table: isolated at the last revision, not isolated one below; "-" where any will do.
const MICROCODE_ROWS: readonly (readonly [string, number, number])[] = [
  ['haswell-x', 2, 0x37],
  ['haswell-x', 4, 0x0a],
  ['broadwell-x', 1, 0x0b000014],
  ['skylake-sp', 3, 0x21],
  ['skylake-sp', 4, 0],
  ['cascade-lake', 5, 0],
  ['cascade-lake', 6, 0],
  ['cascade-lake', 7, 0],
  ['cascade-lake', 11, 0],
];

t.test('isolation comes with the stepping and microcode of the table', async (t) => {
  for (const [id, stepping, revision] of MICROCODE_ROWS) {
    const model = present(findCpuModel(id), id);
    t.ok(isIsolated(model, stepping, revision), `${id} ${stepping} at ${revision}`);
    t.ok(isIsolated(model, stepping, revision + 1), `${id} ${stepping} later`);
    if (revision > 0) {
      t.notOk(isIsolated(model, stepping, revision - 1), `${id} ${stepping} before`);
    }
  }
});

t.test('a stepping that is not in the table of its family is never isolated', async (t) => {
  for (const [id, stepping] of [
    ['haswell-x', 3],
    ['broadwell-x', 0],
    ['skylake-sp', 2],
    ['comet-lake', 2],
  ] as const) {
    t.notOk(isIsolated(present(findCpuModel(id), id), stepping, 0xffffffff), `${id} ${stepping}`);
  }
});

t.test('from perfmon 5 on every CPU is isolated, whatever its microcode', async (t) => {
  for (const model of CPU_MODELS.filter(({ perfmonVersion }) => perfmonVersion >= 5)) {
    t.ok(isIsolated(model, model.defaultStepping, 0), model.id);
  }
});

t.test('before perfmon 5 a family without the quirk is never isolated', async (t) => {
  const model = { ...present(findCpuModel('skylake-sp'), 'skylake-sp'), isolationMicrocode: null };
  t.notOk(isIsolated(model, 4, 0xffffffff));
});

t.test(
  'the platform class follows from isolation, EPT-friendliness and the kind of PEBS',
  async (t) => {
    const classOf = (id: string, microcode = 0): string => {
      const model = present(findCpuModel(id), id);
      const isolated = isIsolatedOn(NEWEST, model, model.defaultStepping, microcode);
      return platformClass(capsOf(id), isolated);
    };
    t.equal(classOf('haswell-x', 0x36), 'K1');
    t.equal(classOf('haswell-x', 0x37), 'K2');
    t.equal(classOf('broadwell-x'), 'K1');
    t.equal(classOf('comet-lake', 0xffffffff), 'K1');
    t.equal(classOf('skylake-sp'), 'K2');
    t.equal(classOf('cascade-lake'), 'K2');
    for (const id of ['ice-lake', 'sierra-forest', 'alder-lake-p']) {
      t.equal(classOf(id), 'K2', id);
    }
    for (const id of ['ice-lake-sp', 'sapphire-rapids', 'emerald-rapids', 'granite-rapids']) {
      t.equal(classOf(id), 'K3', id);
    }
    t.equal(classOf('diamond-rapids'), 'K4');
  },
);

// Which 64-bit values a counter set can hold (semantics.md §1.1).
const anyBits = fc.tuple(
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.integer({ min: 0, max: 0xffffffff }),
);

t.test('a counter set survives widening to 64 bits and folding back', async (t) => {
  fc.assert(
    fc.property(fc.integer(), (counters) => {
      const { set, fits } = fromU64(toU64(counters));
      return set === counters && fits;
    }),
  );
  fc.assert(
    fc.property(anyBits, ([hi, lo]) => {
      const { set, fits } = fromU64({ hi, lo });
      const back = toU64(set);
      return (
        fits === (back.hi === hi && back.lo === lo) &&
        (back.hi & ~hi) === 0 &&
        (back.lo & ~lo) === 0
      );
    }),
  );
  t.pass();
});

t.test('a bit that is no counter is reported, not kept', async (t) => {
  for (const bit of [16, 31, 43, 44, 47, 49, 57, 59, 62]) {
    t.strictSame(fromU64(u64(1n << BigInt(bit))), { set: 0, fits: false }, `bit ${bit}`);
  }
});

t.test(
  'counter k is bit k, fixed counter i is bit 32+i, and the special bits have names',
  async (t) => {
    const folded = (bit: bigint): string => names(fromU64(u64(1n << bit)).set);
    t.equal(folded(0n), 'PMC0');
    t.equal(folded(15n), 'PMC15');
    t.equal(folded(32n), 'FIXED0');
    t.equal(folded(42n), 'FIXED10');
    t.equal(folded(58n), 'VLBR');
    t.equal(folded(48n), 'PERF_METRICS');
    t.equal(folded(60n), 'PEBS_PMI_AFTER_EACH_RECORD');
    t.equal(folded(61n), 'PEBS_OUTPUT_PT');
    t.equal(folded(63n), 'PEBS_PRECISE_STORE');
    t.equal(hex(toU64(PEBS_VIA_PT)), '0x3000000000000000');
    t.equal(COUNTERS & (PERF_METRICS | PEBS_VIA_PT), 0);
  },
);

t.test('counter names and bits are inverse to each other', async (t) => {
  for (let bit = 0; bit < 28; bit += 1) {
    t.equal(counterBit(counterName(bit)), bit, counterName(bit));
  }
  for (const name of ['PMC16', 'FIXED12', 'PMC', 'pmc0', 'PMC-1', 'FIXED1x', '']) {
    t.equal(counterBit(name), undefined, name || 'the empty name');
  }
  t.strictSame(counterNames(generalPurpose(2) | fixed(1)), ['PMC0', 'PMC1', 'FIXED0']);
});

t.test('bit counts and lowest bits agree with arithmetic', async (t) => {
  fc.assert(
    fc.property(fc.integer(), (counters) => {
      const bits = (counters >>> 0).toString(2);
      const lowest = bits.length - 1 - bits.lastIndexOf('1');
      return (
        countBits(counters) === bits.replaceAll('0', '').length &&
        (counters === 0 || lowestBit(counters) === lowest)
      );
    }),
  );
  t.pass();
});

t.test('MSRs have the names and indices of the manual', async (t) => {
  const rows: readonly (readonly [string, number])[] = [
    ['IA32_PERF_GLOBAL_CTRL', 0x38f],
    ['IA32_PERF_GLOBAL_STATUS_RESET', 0x390],
    ['IA32_FIXED_CTR_CTRL', 0x38d],
    ['IA32_PERFEVTSEL0', 0x186],
    ['IA32_PERFEVTSEL7', 0x18d],
    ['IA32_PMC0', 0xc1],
    ['IA32_PMC3', 0xc4],
    ['IA32_FIXED_CTR0', 0x309],
    ['IA32_FIXED_CTR3', 0x30c],
    ['IA32_PEBS_ENABLE', 0x3f1],
    ['MSR_PEBS_DATA_CFG', 0x3f2],
    ['IA32_DS_AREA', 0x600],
  ];
  for (const [name, index] of rows) {
    const code = present(msrCode(name), name);
    t.equal(msrIndex(code), index, name);
    t.equal(msrName(code), name);
  }
  t.equal(msrCode('IA32_EFER'), undefined);
  t.throws(() => msrName(MSR_CODES - 1), RangeError);
  t.equal(msrName(EVENTSEL + 1), 'IA32_PERFEVTSEL1');
  t.equal(msrName(COUNTER + 17), 'IA32_FIXED_CTR1');
});

t.test('the four switched MSRs can be read back, others cannot be loaded', async (t) => {
  const hardware = new Hardware();
  for (let msr = 0; msr < 4; msr += 1) {
    loadMsr(hardware, msr, msr + 7);
    t.equal(readMsr(hardware, msr), msr + 7, msrName(msr));
  }
  t.throws(() => loadMsr(hardware, 4, 0), RangeError);
  t.throws(() => readMsr(hardware, 4), RangeError);
});

t.test('an address keeps its identity, and a full book says so', async (t) => {
  const book = new AddressBook();
  t.equal(book.identify(u64(0n)), 0, 'the null address');
  const guest = present(book.identify(u64(0xffff8880_00049000n)), 'identity');
  t.ok(guest > 8, 'not one of the DS areas of the CPUs');
  t.equal(book.identify(u64(0xffff8880_00049000n)), guest);
  t.equal(hex(book.valueOf(guest)), '0xffff888000049000');
  t.equal(book.identify(book.valueOf(3)), 3, 'the DS area of CPU 2');
  for (let page = 1; page < ADDRESSES_MAX; page += 1) {
    book.identify(u64(BigInt(page) << 12n));
  }
  t.equal(book.identify(u64(0x123n)), undefined);
  t.throws(() => book.valueOf(ADDRESSES_MAX), RangeError);
});

t.test('perf refuses an event the CPU cannot do', async (t) => {
  const errno = (model: string, wish: Parameters<typeof requestOf>[0], kernel?: string): string => {
    const plan = planOpen(capsOf(model, kernel), requestOf(wish));
    return 'errno' in plan ? `${plan.errno} ${plan.field}` : 'ok';
  };
  for (const preciseIp of [1, 2, 3]) {
    t.equal(
      errno('diamond-rapids', { preciseIp }, 'linux-6.12.117'),
      'EOPNOTSUPP precise_ip',
      'PEBS format 15 is unknown',
    );
  }
  t.equal(errno('haswell-x', { preciseIp: 1, sampling: null }), 'EINVAL precise_ip');
  t.equal(errno('haswell-x', { largePebs: true }), 'EINVAL large_pebs');
  t.equal(
    errno('haswell-x', { preciseIp: 2, largePebs: true, sampling: 'freq' }),
    'EINVAL large_pebs',
  );
  t.equal(errno('haswell-x', { auxOutput: true }), 'EINVAL aux_output');
  t.equal(
    errno('haswell-x', { preciseIp: 2, dataCfg: 1 }),
    'EINVAL pebs_data_cfg',
    'no adaptive PEBS',
  );
  t.equal(
    errno('haswell-x', { counter: 'PMC4' }),
    'EINVAL counter',
    'four counters with hyper-threading',
  );
  t.equal(
    errno('haswell-x', { counter: 'FIXED0', preciseIp: 1 }),
    'EINVAL counter',
    'PEBS on PMCs only',
  );
  t.equal(errno('emerald-rapids', { counter: 'FIXED0', preciseIp: 1 }), 'ok', 'adaptive PEBS');
});

t.test('an event without a counter of its own may use any that can do what it asks', async (t) => {
  const plan = planOpen(capsOf('emerald-rapids'), requestOf({ preciseIp: 3 }));
  t.notOk('errno' in plan);
  if (!('errno' in plan)) {
    t.equal(plan.config.constraint, 0xff);
    t.equal(plan.config.constraintPrecise3, 1);
    t.equal(plan.config.constraint & FIXED, 0, 'an event code is not a fixed counter by itself');
  }
  t.equal(requestOf({}).counter, NO_COUNTER);
});

t.test(
  'precise_ip 1 takes the IP from the general-purpose registers of an adaptive record',
  async (t) => {
    const dataCfg = (model: string, preciseIp: number): number => {
      const plan = planOpen(capsOf(model), requestOf({ preciseIp }));
      return 'errno' in plan ? Number.NaN : plan.dataCfg;
    };
    t.equal(dataCfg('emerald-rapids', 1), 2);
    t.equal(dataCfg('emerald-rapids', 2), 0);
    t.equal(dataCfg('haswell-x', 1), 0);
  },
);
