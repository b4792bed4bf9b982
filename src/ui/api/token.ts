/** The access token: pasted once, kept for the tab, sent in a header and never part of an address. */
import { signal } from '@preact/signals';

const KEY = 'pebslab.token';

export interface Question {
  /** What the service said of the request. */
  readonly detail: string;
  answer(token: string): void;
  giveUp(): void;
}

/** Set while the page waits for a token. */
export const question = signal<Question | undefined>(undefined);
let waiting: Promise<boolean> | undefined;

export function authorization(): Record<string, string> {
  const token = sessionStorage.getItem(KEY);
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
}

/** Asks for a token, once for all that wait; false if there will be none. */
export function askForToken(detail: string): Promise<boolean> {
  waiting ??= new Promise<boolean>((resolve) => {
    const end = (isGiven: boolean): void => {
      question.value = undefined;
      waiting = undefined;
      resolve(isGiven);
    };
    question.value = {
      detail,
      answer: (token) => {
        sessionStorage.setItem(KEY, token);
        end(true);
      },
      giveUp: () => end(false),
    };
  });
  return waiting;
}
