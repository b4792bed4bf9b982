/** Where hosts are kept; what a host is, the service says. */

export interface HostStore<Host extends { readonly id: string }> {
  /** All hosts, oldest first. */
  list(): readonly Host[];
  get(id: string): Host | undefined;
  add(host: Host): void;
  /** Whether there was such a host. */
  delete(id: string): boolean;
}

/** Keeps hosts in memory; they are gone when the process ends. */
export class MemoryHostStore<Host extends { readonly id: string }> implements HostStore<Host> {
  private readonly hosts = new Map<string, Host>();

  list(): readonly Host[] {
    return [...this.hosts.values()];
  }

  get(id: string): Host | undefined {
    return this.hosts.get(id);
  }

  add(host: Host): void {
    this.hosts.set(host.id, host);
  }

  delete(id: string): boolean {
    return this.hosts.delete(id);
  }
}
