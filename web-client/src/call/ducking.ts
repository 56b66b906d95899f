// How far the match is lowered while a friend speaks: an envelope over time. Pure; whoever plays the match multiplies its volume by it.
//
// It moves by decibels, which is how loudness is heard: a straight line there is an even change. The person's own volume is another factor.

/** While somebody speaks, dB. */
const DEPTH_DB = -12;
/** From whole to lowered, ms. */
const DOWN_MS = 80;
/** From lowered to whole, ms. */
const UP_MS = 600;
/** Between two words of one sentence it stays down, ms. */
const HOLD_MS = 250;

export class Duck {
  #db = 0;
  #at: number | null = null;
  #spokeAt = -Infinity;

  /** The share of the match's volume at `now`, 0..1. */
  handle(now: number, speaking: boolean): number {
    const since = this.#at === null ? 0 : Math.max(0, now - this.#at);
    this.#at = now;
    if (speaking) this.#spokeAt = now;
    const isDown = speaking || now - this.#spokeAt < HOLD_MS;
    const change = isDown ? (DEPTH_DB / DOWN_MS) * since : (-DEPTH_DB / UP_MS) * since;
    this.#db = Math.min(0, Math.max(DEPTH_DB, this.#db + change));
    return this.#db === 0 ? 1 : 10 ** (this.#db / 20);
  }

  /** Nothing changes until somebody speaks. */
  get isAtRest(): boolean {
    return this.#db === 0;
  }
}
