/** No kernel has more CPUs (CONFIG_NR_CPUS). */
export const MAX_CPUS = 8192;

/** What a rule remembers of each CPU: made when the CPU is first seen. */
export class PerCpu<T> {
  private readonly states: (T | undefined)[] = [];

  constructor(private readonly make: (cpu: number) => T) {}

  of(cpu: number): T {
    let state = this.states[cpu];
    if (state === undefined) {
      state = this.make(cpu);
      this.states[cpu] = state;
    }
    return state;
  }

  get(cpu: number): T | undefined {
    return this.states[cpu];
  }

  /** CPUs seen, lowest first. */
  cpus(): number[] {
    return Object.keys(this.states).map(Number);
  }

  each(visit: (state: T, cpu: number) => void): void {
    this.states.forEach((state, cpu) => {
      if (state !== undefined) visit(state, cpu);
    });
  }
}
