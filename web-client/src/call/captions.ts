// What friends say, in words, under their faces. Off until somebody turns it on who has words to give (docs/calls.md, "Captions"): the line is there,
// bounded and read out, and nothing here makes words of sound.
import { type ReadonlySignal, signal } from '@preact/signals';
import type { MemberId } from '../protocol';

/** Of what somebody says the end is shown: two lines under a face. */
const CHARACTERS_MAX = 80;
/** Words stay for so long after the last of them, ms. */
const STAY_MS = 6_000;

export type Caption = { text: string; atMs: number };

export class Captions {
  readonly isOn = signal(false);
  readonly #lines = signal<ReadonlyMap<MemberId, Caption>>(new Map());

  get lines(): ReadonlySignal<ReadonlyMap<MemberId, Caption>> {
    return this.#lines;
  }

  /** What `member` is saying now, whole: it takes the place of what was there. Nothing: it is taken away. */
  say(member: MemberId, text: string, now: number): void {
    if (!this.isOn.peek()) return;
    const lines = new Map(this.#lines.peek());
    const words = endOf(text.replace(/\s+/g, ' ').trim());
    if (words === '') lines.delete(member);
    else lines.set(member, { text: words, atMs: now });
    this.#lines.value = lines;
  }

  /** Takes away what was said a while ago, and what those said who are not among `members` any more. */
  forget(now: number, members: ReadonlySet<MemberId>): void {
    const lines = this.#lines.peek();
    const kept = this.isOn.peek() ? [...lines].filter(([member, { atMs }]) => members.has(member) && now - atMs < STAY_MS) : [];
    if (kept.length < lines.size) this.#lines.value = new Map(kept);
  }
}

/** The last words that fit. */
function endOf(text: string): string {
  const characters = [...text];
  if (characters.length <= CHARACTERS_MAX) return text;
  const end = characters.slice(-CHARACTERS_MAX).join('');
  const space = end.indexOf(' ');
  return space === -1 ? end : end.slice(space + 1);
}
