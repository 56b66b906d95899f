// What the link says about the next seconds: whether packets have stopped, and whether trouble is on its way. Pure.

/** What a second of playing by WebRTC was like. */
export type SecondOfLink = {
  /** Another second has another number. */
  atMs: number;
  /** 0..1 of the packets. */
  loss: number;
  roundTripMs: number | null;
  /** 0..1 of the decoded frames that never reached the screen; 0 while nobody looks. */
  dropped: number;
  frozen: boolean;
};

/** Packets that stand still for this long have stopped, ms. Undisturbed, 210 ms was the longest in 40 s. */
export const STILL_MS = 250;
/** The same where there is no sound: a screen that nobody touches sends a frame a second, ms. */
const STILL_SILENT_MS = 1_250;
/** Gaps longer than this teach nothing about what is usual here, ms. */
const STILL_MAX_MS = 1_500;
/** Gaps of this many last milliseconds are what is usual. */
const USUAL_MS = 10_000;
/** A gap this many times the longest usual one is none of the usual ones. */
const UNUSUAL = 1.5;
/** A second with more than this lost, or with twice the shortest round trip and this much more, ms, is a bad one. */
export const BAD_LOSS = 0.03;
const BAD_ROUND_TRIP_MS = 100;
/** Bad seconds in a row that hint at trouble. */
const BAD_SECONDS = 3;
/** Losses that retransmission cannot hide, and how many seconds of them in a row are too many. */
const HEAVY_LOSS = 0.1;
const HEAVY_SECONDS = 6;
/** A device that throws away this share of its frames for so many seconds in a row cannot keep up. */
const DROPPED_SHARE = 0.25;
const DROPPED_SECONDS = 5;

/** Whether packets have stopped, measured by what is usual on this way: a sparse stream is no dead one. */
export class Stillness {
  #packets = -1;
  #grewAt: number | null = null;
  #readAt = -1;
  /** Readings in a row beyond the limit: one makes the packets still, a second one proves it. */
  #beyond = 0;
  #flowsSince: number | null = null;
  #gaps: { atMs: number; ms: number }[] = [];

  observe(now: number, packets: number, readAt: number, expected: boolean, sound: boolean): void {
    if (readAt === this.#readAt) return;
    this.#readAt = readAt;
    if (!expected || this.#grewAt === null) {
      this.#grewAt = expected ? readAt : null;
      this.#packets = packets;
      this.#beyond = 0;
      this.#flowsSince = null;
      return;
    }
    const gap = readAt - this.#grewAt;
    // Another connection begins to count anew, and has received nothing by that.
    if (packets < this.#packets) this.#packets = packets;
    if (packets > this.#packets) {
      if (gap <= STILL_MAX_MS) this.#gaps.push({ atMs: now, ms: gap });
      this.#gaps = this.#gaps.filter(({ atMs }) => now - atMs < USUAL_MS);
      this.#flowsSince = gap > this.#limit(sound) ? readAt : (this.#flowsSince ?? readAt);
      this.#packets = packets;
      this.#grewAt = readAt;
      this.#beyond = 0;
    } else if (gap >= this.#limit(sound)) {
      this.#beyond += 1;
      this.#flowsSince = null;
    }
  }

  #limit(sound: boolean): number {
    const usual = this.#gaps.reduce((longest, { ms }) => Math.max(longest, ms), 0);
    // Gaps below the common limit teach nothing: they are what it was chosen by.
    const least = sound ? STILL_MS : STILL_SILENT_MS;
    return usual < least ? least : Math.min(STILL_MAX_MS, usual * UNUSUAL);
  }

  get still(): boolean {
    return this.#beyond > 0;
  }
  get stopped(): boolean {
    return this.#beyond > 1;
  }

  stillFor(now: number): number {
    return this.#grewAt === null ? 0 : now - this.#grewAt;
  }

  /** How long packets have been coming, ms. */
  flowsFor(now: number): number {
    return this.#flowsSince === null ? 0 : now - this.#flowsSince;
  }

  forget(now: number): void {
    if (this.#grewAt !== null) this.#grewAt = now;
    this.#beyond = 0;
  }
}

/** What the seconds of a link say about the next ones. */
export class LinkSeconds {
  #lastAt = -1;
  #bad = 0;
  #lossy = 0;
  #dropping = 0;
  #badAt: number | null = null;
  #shortestMs = Infinity;

  observe(now: number, second: SecondOfLink | null): void {
    if (second === null || second.atMs === this.#lastAt) return;
    this.#lastAt = second.atMs;
    const { loss, roundTripMs, dropped, frozen } = second;
    if (roundTripMs !== null) this.#shortestMs = Math.min(this.#shortestMs, roundTripMs);
    const slow = roundTripMs !== null && roundTripMs > 2 * this.#shortestMs && roundTripMs > this.#shortestMs + BAD_ROUND_TRIP_MS;
    const isBad = loss > BAD_LOSS || slow || frozen || dropped >= DROPPED_SHARE;
    if (isBad) this.#badAt = now;
    this.#bad = isBad ? this.#bad + 1 : 0;
    this.#lossy = loss >= HEAVY_LOSS || (frozen && loss > BAD_LOSS) ? this.#lossy + 1 : 0;
    this.#dropping = dropped >= DROPPED_SHARE ? this.#dropping + 1 : 0;
  }

  get hinted(): boolean {
    return this.#bad >= BAD_SECONDS;
  }
  get heavy(): boolean {
    return this.#lossy >= HEAVY_SECONDS;
  }
  get deviceBehind(): boolean {
    return this.#dropping >= DROPPED_SECONDS;
  }

  calmFor(now: number): number {
    return this.#badAt === null ? Infinity : now - this.#badAt;
  }

  forget(): void {
    this.#bad = this.#lossy = this.#dropping = 0;
    this.#badAt = null;
  }
}
