/**
 * How sure a measured rate is: the score interval of E. B. Wilson, "Probable inference, the law of succession, and
 * statistical inference", JASA 22 (1927), 209–212. Unlike the textbook interval it stays within 0 and 1 and says
 * something when nothing was found, which is what most cells report.
 */

/** The normal quantile of 95 %, two-sided. */
const Z = 1.959964;

/** The 95 % interval of the rate behind `hits` of `trials`; without trials it is anything from 0 to 1. */
export function wilson(hits: number, trials: number): { low: number; high: number } {
  if (trials === 0) {
    return { low: 0, high: 1 };
  }
  const rate = hits / trials;
  const spread = Z * Math.sqrt((rate * (1 - rate)) / trials + (Z / (2 * trials)) ** 2);
  const centre = rate + Z ** 2 / (2 * trials);
  const scale = 1 + Z ** 2 / trials;
  // At the ends the formula gives 0 and 1 but for rounding.
  return {
    low: hits === 0 ? 0 : (centre - spread) / scale,
    high: hits === trials ? 1 : (centre + spread) / scale,
  };
}
