/** Worlds that are no scenarios, as this browser remembers them: those that were started or opened in it. */
import { signal } from '@preact/signals';
import { count } from '../widgets/numbers.js';
import { worldTitle } from './exploration.js';
import { portableKey } from './portable.js';
import type { Exploration } from './searches.js';

export interface OwnWorld {
  /** Its part of an address, which has all of it. */
  readonly key: string;
  readonly title: string;
  /** What is in it, in a few words. */
  readonly content: string;
  readonly seen_at: string;
}

const STORED = 'pebslab.worlds';
/** Those seen longest ago are forgotten. */
const WORLDS_MAX = 50;

export const ownWorlds = signal<readonly OwnWorld[]>(read());

function read(): OwnWorld[] {
  try {
    return JSON.parse(localStorage.getItem(STORED) ?? '[]');
  } catch {
    return [];
  }
}

function keep(worlds: readonly OwnWorld[]): void {
  ownWorlds.value = worlds;
  localStorage.setItem(STORED, JSON.stringify(worlds));
}

/** The part of an address that means this world, which is remembered if it is no scenario. */
export async function rememberWorld(exploration: Exploration): Promise<string> {
  const key = await portableKey(exploration);
  if (exploration.scenario !== undefined) return key;
  const { cpus = 1, events = [], vcpus = [], actors = [] } = exploration.model;
  const content = [
    count(cpus, 'CPU'),
    count(events.length, 'event'),
    count(vcpus.length, 'vCPU'),
    ...actors.map(({ kind }) => kind),
  ].join(', ');
  const seen_at = new Date().toISOString();
  const others = read().filter((one) => one.key !== key);
  const own = { key, title: worldTitle(exploration), content, seen_at };
  keep([own, ...others].slice(0, WORLDS_MAX));
  return key;
}

export function forgetWorld(key: string): void {
  keep(read().filter((one) => one.key !== key));
}
