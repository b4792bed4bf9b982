/** What follows of a text's own facts, for the rules and the answer. What the sender says of it counts more. */
import type { FactsBook } from './facts-book.js';
import { identify } from './identify.js';

export function deriveFacts(facts: FactsBook): void {
  const { fix_state, isolation, predicted_path, certain } = identify(facts);
  const derive = (name: string, value: string, from: string): void => {
    if (!facts.has(name)) facts.say(facts.lineOf(from), name, value);
  };
  if (fix_state !== 'unknown') derive('fix_state', fix_state, 'kernel_release');
  if (!certain) return;
  if (isolation !== null) derive('isolation', String(isolation), 'cpu_model');
  if (predicted_path !== 'unknown') derive('predicted_path', predicted_path, 'cpu_model');
}
