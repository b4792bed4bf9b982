/** What is said of the machine, by the text and by whoever sent it. */

interface Said {
  readonly value: string;
  /** 0: the sender said it. */
  readonly line: number;
  readonly cpu: number | null;
}

/** More names than any reader knows. */
const MAX_NAMES = 256;
/** A hybrid machine says a thing in two or three ways; a text that says it in more is about several machines. */
const MAX_VALUES = 8;

export class FactsBook {
  /** By name, the different values in the order in which they were said. */
  private readonly said = new Map<string, Said[]>();
  private readonly ofCpus = new Map<string, Map<number, string>>();

  constructor(given: Readonly<Record<string, string>>) {
    for (const [name, value] of Object.entries(given)) this.say(0, name, value);
  }

  say(line: number, name: string, value: string, cpu?: number): void {
    let values = this.said.get(name);
    if (values === undefined) {
      if (this.said.size >= MAX_NAMES) return;
      values = [];
      this.said.set(name, values);
    }
    if (cpu !== undefined) this.sayOfCpu(name, cpu, value);
    if (values.length >= MAX_VALUES || values.some((said) => said.value === value)) return;
    // The kernel announces PEBS before it says that an erratum disables it.
    if (name === 'pebs' && value === 'disabled' && values[0]?.value === 'yes') values.length = 0;
    values.push({ value, line, cpu: cpu ?? null });
  }

  /** The value, where there is only one. */
  value(name: string): string | null {
    const values = this.said.get(name);
    return values?.length === 1 ? values[0]!.value : null;
  }

  /** The value of a CPU: its own, or the machine's. */
  valueOf(cpu: number, name: string): string | null {
    return this.ofCpus.get(name)?.get(cpu) ?? this.value(name);
  }

  has(name: string): boolean {
    return this.said.has(name);
  }

  /** Line that says this of the machine, 0 where the sender does; null where nobody does. */
  saying(name: string, value: string): number | null {
    return this.said.get(name)?.find((said) => said.value === value)?.line ?? null;
  }

  /** Line that first says something of this name; 0 where the sender does, or nobody. */
  lineOf(name: string): number {
    return this.said.get(name)?.[0]?.line ?? 0;
  }

  differs(name: string): boolean {
    return (this.said.get(name)?.length ?? 0) > 1;
  }

  /** Names with more than one value, and all of them. */
  differing(): (readonly [name: string, values: readonly Said[]])[] {
    return [...this.said].filter(([, values]) => values.length > 1);
  }

  /** By name; of what was said differently, what was said first. */
  toObject(): Record<string, string> {
    return Object.fromEntries([...this.said].map(([name, values]) => [name, values[0]!.value]));
  }

  private sayOfCpu(name: string, cpu: number, value: string): void {
    let values = this.ofCpus.get(name);
    if (values === undefined) {
      values = new Map();
      this.ofCpus.set(name, values);
    }
    if (!values.has(cpu)) values.set(cpu, value);
  }
}
