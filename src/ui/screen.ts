/** What a screen is: which addresses it has, what it shows there, and its place in the rail. */
import type { ComponentType } from 'preact';

export interface Screen {
  readonly name: string;
  /** Addresses below /ui, for `match` of the router. */
  readonly patterns: readonly string[];
  readonly View: ComponentType<{ readonly parts: Readonly<Record<string, string>> }>;
  readonly rail?: {
    /** The path of an icon on 24 × 24, drawn as lines. */
    readonly icon: string;
    /** Where the entry leads: what was looked at last, if that makes sense. */
    address(): string;
  };
}
