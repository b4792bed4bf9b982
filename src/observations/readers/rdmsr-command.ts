/** A command line with rdmsr or dd in it: in a comment, behind a prompt, or traced by the shell. */

export interface RdmsrCommand {
  /** Its words, without rdmsr itself. */
  readonly words: readonly string[];
  /** The MSR that it names; null where it is a variable or missing. */
  readonly msr: number | null;
  /** The MSR is given by name, which rdmsr takes for MSR 0. */
  readonly byName: boolean;
  readonly allCpus: boolean;
}

/** Options that have a value of their own. */
const WITH_VALUE = /^-[a-zA-Z0]*[pf]$|^--(?:processor|bitfield)$/;

export function rdmsrCommand(line: string): RdmsrCommand | null {
  const rest = /(?:^|[\s#$+;|&(`/])rdmsr((?:\s+[^\s;|&)`"]+)+)/.exec(line)?.[1];
  if (rest === undefined) return null;
  const words = rest.trim().split(/\s+/);
  const operand = words.find(
    (word, place) => !word.startsWith('-') && !WITH_VALUE.test(words[place - 1] ?? ''),
  );
  return {
    words,
    msr: operand !== undefined && /^(?:0x[0-9a-f]+|\d+)$/i.test(operand) ? Number(operand) : null,
    byName: operand !== undefined && /^[a-z]\w*$/i.test(operand),
    allCpus: words.some((word) => /^-[a-zA-Z0]*a|^--all$/.test(word)),
  };
}

/** The MSR that dd reads from /dev/cpu/N/msr, whose offset is its index. */
export function ddMsr(line: string): number | null {
  const skip = /\/dev\/cpu\/\S+\/msr\b.*\bskip=(0x[0-9a-f]+|\d+)/i.exec(line)?.[1];
  return skip === undefined ? null : Number(skip);
}
