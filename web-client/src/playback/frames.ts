// Whether frames follow one another, from the times at which they were shown. Pure.

/** Until two frames have been seen, ms. */
const ASSUMED_PERIOD_MS = 34;
/** Periods are smoothed over about this many frames. */
const PERIOD_MEMORY = 8;
/** A slower picture than this is a row of stills, ms. */
const LONGEST_PERIOD_MS = 1_200;
/** A frame is overdue after this many periods, and at least so many ms: a busy page shows them unevenly. */
const OVERDUE_PERIODS = 3;
const OVERDUE_MS = 150;
/** The picture has stopped after this many, and at least so many ms. */
const STOPPED_PERIODS = 6;
const STOPPED_MS = 400;
/** One frame may be all that was there. */
const FIRST_FRAMES = 2;

export class FrameTrail {
  #count = 0;
  #lastAt = -Infinity;
  #periodMs = ASSUMED_PERIOD_MS;

  shown(at: number): void {
    const gap = at - this.#lastAt;
    if (gap > 0 && gap < LONGEST_PERIOD_MS) this.#periodMs += (gap - this.#periodMs) / PERIOD_MEMORY;
    // After a stop it has to prove itself again.
    this.#count = this.#stopped(at) ? 1 : this.#count + 1;
    this.#lastAt = Math.max(at, this.#lastAt);
  }

  moving(now: number): boolean {
    return this.#count >= FIRST_FRAMES && !this.#stopped(now);
  }

  frozen(now: number): boolean {
    return now - this.#lastAt >= Math.max(OVERDUE_MS, OVERDUE_PERIODS * this.#periodMs);
  }

  /** Another picture begins. */
  reset(): void {
    this.#count = 0;
    this.#lastAt = -Infinity;
    this.#periodMs = ASSUMED_PERIOD_MS;
  }

  #stopped(now: number): boolean {
    return now - this.#lastAt >= Math.max(STOPPED_MS, STOPPED_PERIODS * this.#periodMs);
  }
}
