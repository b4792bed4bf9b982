/**
 * The letters of predicates and formulas, and what they stand for: wherever one of those is shown, so are its letters.
 *
 * Source: semantics.md §1.1 to §1.3, §5 and §7.7.
 */

export interface SymbolMeaning {
  readonly symbol: string;
  readonly meaning: string;
}

/** In the order in which they are explained. A function or an array is found by its name alone. */
export const SYMBOLS: readonly SymbolMeaning[] = [
  { symbol: 'PE', meaning: 'IA32_PEBS_ENABLE' },
  { symbol: 'GC', meaning: 'IA32_PERF_GLOBAL_CTRL' },
  { symbol: 'DS', meaning: 'IA32_DS_AREA' },
  { symbol: 'CFG', meaning: 'MSR_PEBS_DATA_CFG' },
  { symbol: 'FX', meaning: 'IA32_FIXED_CTR_CTRL; FX[i] is the field of fixed counter i' },
  {
    symbol: 'P',
    meaning: 'pebs_enabled: what perf wants in IA32_PEBS_ENABLE, host and guest events alike',
  },
  { symbol: 'I', meaning: 'intel_ctrl: the counters that perf may use' },
  {
    symbol: 'GM',
    meaning: 'intel_ctrl_guest_mask: the counters of active events that exclude the host',
  },
  {
    symbol: 'HM',
    meaning: 'intel_ctrl_host_mask: the counters of active events that exclude the guest',
  },
  { symbol: 'pm', meaning: 'pebs_enabled & pebs_capable: the counters in use for PEBS' },
  {
    symbol: 'G0',
    meaning: 'intel_ctrl without host-only counters and without the counters in use for PEBS',
  },
  {
    symbol: 'gp',
    meaning: 'the guest PEBS counters that the switch function lets run in the guest',
  },
  {
    symbol: 'xm',
    meaning:
      'host_cross_mapped_mask: the host counters that back a guest counter of another number',
  },
  {
    symbol: 'host PEBS',
    meaning:
      'whether a PEBS event that counts in the host is active: pebs_enabled & ~intel_ctrl_guest_mask is not 0',
  },
  { symbol: 'ds', meaning: "the CPU's own DS area" },
  { symbol: 'c.ds', meaning: "the CPU's own DS area; 0 while perf has reserved none" },
  { symbol: 'cfgA', meaning: 'active_pebs_data_cfg: what perf last wrote to MSR_PEBS_DATA_CFG' },
  { symbol: 'n_pebs', meaning: 'the number of scheduled PEBS events' },
  { symbol: 'e.cfg', meaning: 'the record groups that the event asked for' },
  { symbol: 'v.ds', meaning: "the guest's IA32_DS_AREA" },
  { symbol: 'v.cfg', meaning: "the guest's MSR_PEBS_DATA_CFG" },
  { symbol: 'v.gc', meaning: "the guest's IA32_PERF_GLOBAL_CTRL" },
  { symbol: 'v.en', meaning: 'the guest counters whose own enable bit is set' },
  {
    symbol: 'EN',
    meaning: 'EN(k): the own enable bit of counter k, in its selector or in IA32_FIXED_CTR_CTRL',
  },
  {
    symbol: 'run',
    meaning: 'run(k): counter k counts: IA32_PERF_GLOBAL_CTRL and its own enable bit let it',
  },
  {
    symbol: 'fire',
    meaning:
      'fire(k): counter k counts and its bit of IA32_PEBS_ENABLE is set, so that it makes records',
  },
  { symbol: 'L', meaning: 'the MSR-load areas of the vCPU' },
  { symbol: 'list', meaning: 'the switch list that perf returned' },
  {
    symbol: 'reserved',
    meaning: 'reserved(PE): the bits that IA32_PEBS_ENABLE does not have on this CPU',
  },
  { symbol: 'K1', meaning: 'CPUs without PEBS isolation' },
  { symbol: 'K3', meaning: 'CPUs with PEBS isolation and PEBS for guests' },
];

/** As a whole word: `DS` is not in `DS_AREA`, `ds` not in `c.ds`. */
const patterns = SYMBOLS.map(
  ({ symbol }) => new RegExp(`(?<![\\w.])${symbol.replaceAll('.', '\\.')}(?!\\w)`),
);

/** The symbols that a predicate or formula uses. */
export function symbolsIn(text: string): SymbolMeaning[] {
  return SYMBOLS.filter((_, at) => patterns[at]!.test(text));
}
