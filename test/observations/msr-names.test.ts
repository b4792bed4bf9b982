/** Names of MSRs: the SDM's, Linux's, and where the same word means two registers. */
import t from 'tap';
import { indexOfLinuxName, indexOfName, nameOfIndex } from '../../src/observations/msr-names.js';

t.test('the SDM names an MSR, whoever named it', async (t) => {
  for (const [name, index, sdm] of [
    ['MSR_CORE_PERF_GLOBAL_CTRL', 0x38f, 'IA32_PERF_GLOBAL_CTRL'],
    ['MSR_IA32_PEBS_ENABLE', 0x3f1, 'IA32_PEBS_ENABLE'],
    ['IA32_PEBS_ENABLE', 0x3f1, 'IA32_PEBS_ENABLE'],
    ['MSR_IA32_DS_AREA', 0x600, 'IA32_DS_AREA'],
    ['MSR_PEBS_DATA_CFG', 0x3f2, 'MSR_PEBS_DATA_CFG'],
    ['MSR_P6_EVNTSEL0', 0x186, 'IA32_PERFEVTSEL0'],
    ['MSR_ARCH_PERFMON_EVENTSEL1', 0x187, 'IA32_PERFEVTSEL1'],
    ['MSR_P6_PERFCTR7', 0xc8, 'IA32_PMC7'],
    ['MSR_CORE_PERF_FIXED_CTR2', 0x30b, 'IA32_FIXED_CTR2'],
    ['MSR_CORE_PERF_GLOBAL_OVF_CTRL', 0x390, 'IA32_PERF_GLOBAL_STATUS_RESET'],
    ['MSR_IA32_DEBUGCTLMSR', 0x1d9, 'IA32_DEBUGCTL'],
    ['MSR_PLATFORM_INFO', 0xce, 'MSR_PLATFORM_INFO'],
  ] as const) {
    t.equal(indexOfName(name), index, name);
    t.equal(nameOfIndex(index), sdm);
    t.equal(indexOfName(sdm), index, sdm);
  }
});

t.test('IA32_PMC0 is one register in the SDM and another in Linux', async (t) => {
  t.equal(indexOfName('IA32_PMC0'), 0xc1);
  t.equal(indexOfLinuxName('MSR_IA32_PMC0'), 0x4c1);
  t.equal(nameOfIndex(0x4c1), 'IA32_A_PMC0');
});

t.test('what is in no table has no name and no index', async (t) => {
  t.equal(indexOfName('constructor'), null);
  t.equal(indexOfName('3f1'), null);
  t.equal(nameOfIndex(0x12345), null);
});
