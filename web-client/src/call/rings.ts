// Who is ringing this person, wherever in the app they are. What it looks like comes when somebody does.
import { signal } from '@preact/signals';
import type { Person, Watching } from '../protocol';

export type Ringing = {
  call: string;
  from: Person;
  /** Where the call is; `null`: at a match that this person may not watch. */
  watching: Watching | null;
  decline: () => void;
};

/** More at once are not drawn: the first ones ring. */
const RINGING_MAX = 3;
/** Whatever the server's clock says, nothing rings for longer, ms. */
const RINGS_MAX_MS = 60_000;

export const ringing = signal<readonly Ringing[]>([]);
const timers = new Map<string, ReturnType<typeof setTimeout>>();

export function rang(ring: Ringing, forMs: number): void {
  quiet(ring.call);
  if (ringing.peek().length >= RINGING_MAX) return;
  ringing.value = [...ringing.peek(), ring];
  timers.set(ring.call, setTimeout(() => quiet(ring.call), Math.min(RINGS_MAX_MS, Math.max(0, forMs))));
}

/** It rings no more, for whatever reason. */
export function quiet(call: string): void {
  clearTimeout(timers.get(call));
  timers.delete(call);
  if (ringing.peek().some((ring) => ring.call === call)) ringing.value = ringing.peek().filter((ring) => ring.call !== call);
}

/** Whoever was rung has signed out. */
export function quietAll(): void {
  for (const { call } of ringing.peek()) quiet(call);
}
