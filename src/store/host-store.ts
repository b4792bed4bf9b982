/** Where hosts are kept. */
import type { Host } from '../service/host.js';

export interface HostStore {
  /** All hosts, oldest first. */
  list(): readonly Host[];
  get(id: string): Host | undefined;
  add(host: Host): void;
  /** Whether there was such a host. */
  delete(id: string): boolean;
}

/** Keeps hosts in memory; they are gone when the process ends. */
export class MemoryHostStore implements HostStore {
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
