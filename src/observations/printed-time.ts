/**
 * A time as a tool printed it. In common lines its digits are counted, and they become a string when somebody asks: of the
 * times of millions of lines hardly any is asked for.
 */
export class PrintedTime {
  private said: string | null = null;
  private isCounted = false;
  private whole = 0;
  private fraction = 0;
  private fractionDigits = 0;

  /** Null where none is printed. */
  get text(): string | null {
    if (!this.isCounted) return this.said;
    const { whole, fraction, fractionDigits } = this;
    if (fractionDigits === 0) return String(whole);
    return `${whole}.${String(fraction).padStart(fractionDigits, '0')}`;
  }

  get isPrinted(): boolean {
    return this.isCounted || this.said !== null;
  }

  say(text: string | null): void {
    this.said = text;
    this.isCounted = false;
  }

  /** `whole` was printed without a zero before it, and as many digits as a number can have. */
  count(whole: number, fraction: number, fractionDigits: number): void {
    this.isCounted = true;
    this.whole = whole;
    this.fraction = fraction;
    this.fractionDigits = fractionDigits;
  }

  /** Whether a clock has gone back since an earlier line: the two are of two recordings then. */
  isBefore(earlier: PrintedTime): boolean {
    const { isCounted, whole, fraction, fractionDigits } = this;
    if (isCounted && earlier.isCounted && fractionDigits === earlier.fractionDigits) {
      return whole === earlier.whole ? fraction < earlier.fraction : whole < earlier.whole;
    }
    return isBefore(this.text, earlier.text);
  }

  take(time: PrintedTime): void {
    if (time.isCounted) this.count(time.whole, time.fraction, time.fractionDigits);
    else this.say(time.said);
  }
}

function isBefore(later: string | null, earlier: string | null): boolean {
  const [whole, part = ''] = later?.split('.') ?? [];
  const [wholeBefore, partBefore = ''] = earlier?.split('.') ?? [];
  if (whole === undefined || wholeBefore === undefined) return false;
  if (!/^\d+$/.test(whole) || !/^\d+$/.test(wholeBefore)) return false;
  return whole.length === wholeBefore.length
    ? whole + part < wholeBefore + partBefore
    : whole.length < wholeBefore.length;
}
