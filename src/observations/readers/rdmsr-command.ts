/** A command line with rdmsr or dd in it: in a comment, behind a prompt, or traced by the shell. */

export interface RdmsrCommand {
  /** The options of its last rdmsr, as words. */
  readonly words: readonly string[];
  /** The MSR that it names; null where it is a variable or missing. */
  readonly msr: number | null;
  /** Why values that it prints alone are of no MSR that is known. */
  readonly unclear: string | null;
  readonly allCpus: boolean;
}

const RDMSR = /(?:^|[\s#$+;|&(`/])rdmsr((?:\s+[^\s;|&)`"]+)+)/g;
/** Options that have a value of their own. */
const WITH_VALUE = /^-[a-zA-Z0]*[pf]$|^--(?:processor|cpu|bitfield)$/;
const ALL_CPUS = /^-[a-zA-Z0]*a|^--all$/;

export function rdmsrCommand(line: string): RdmsrCommand | null {
  const commands = [...line.matchAll(RDMSR)].map(([, rest = '']) => rest.trim().split(/\s+/));
  const words = commands.at(-1);
  if (words === undefined) return null;
  const operands = new Set(commands.map(operandOf));
  const operand = operandOf(words);
  return {
    words,
    msr: /^(?:0x[0-9a-f]+|\d+)$/i.test(operand) ? Number(operand) : null,
    unclear:
      operands.size > 1
        ? 'the command reads several MSRs, and the line does not say which this is'
        : /^[a-z]\w*$/i.test(operand)
          ? 'rdmsr reads MSR 0 when it is given a name'
          : null,
    allCpus: words.some((word) => ALL_CPUS.test(word)),
  };
}

const operandOf = (words: readonly string[]): string =>
  words.find((word, place) => !word.startsWith('-') && !WITH_VALUE.test(words[place - 1] ?? '')) ??
  '';

/** The MSR that dd or od reads from /dev/cpu/N/msr, whose offset is its index. */
export function ddMsr(line: string): number | null {
  const device = /\/dev\/cpu\/\S{1,20}\/msr\b/.test(line);
  const skip = /(?:\bskip=|\s-j ?)(?:\$\(\()?(0x[0-9a-f]+|\d+)/i.exec(line)?.[1];
  return !device || skip === undefined ? null : Number(skip);
}

/** xxd -p prints the bytes of a value without blanks, the lowest first. */
export const joinsBytes = (line: string): boolean => /\bxxd\s.{0,40}?-(?:p|ps|plain)\b/.test(line);

/** A command whose output is no value of an MSR. */
export const isOtherCommand = (line: string): boolean =>
  /^(?:\[?[\w.-]+@[^#$]*)?[#$+]\s*(?:sudo )?(?:cat|date|getconf|grep|ls|lscpu|nproc|uname|uptime|wc)\b/.test(
    line,
  );
