// The reactions that rise over the picture: how many, where, how large, at a moment. Pure: random numbers and time come in.
//
// At most `RISING_MAX` at once. What does not fit is merged: the kinds share the places in proportion, and each carries how many it stands for.
import type { ReactionCount, ReactionKind } from '../protocol';

/** On the picture at once (the design language's figure): more would hide the play. */
export const RISING_MAX = 24;
/** From below to gone, ms. */
export const RISE_MS = 1_800;
/** The sums of a quarter of a second start spread over it, so that they do not pulse. */
const SPREAD_MS = 250;
/** Shares of the picture: how far they rise, and the strip on the right in which they do. */
const RISE_SHARE = 0.55;
const STRIP_SHARE = 0.18;
/** Size of one, and of the largest merged one, as a share of the picture's height; and the smallest that can be made out, pixels. */
const SIZE_SHARE = 0.05;
const MERGED_GROWS = 0.9;
const SIZE_MIN = 22;

type Rising = { kind: ReactionKind; count: number; startMs: number; across: number; sway: number };

/** One drawing: centre and size in the units of the picture, 0..1 opaque, radians. `count` is written beside it when above one. */
export type Drawing = { kind: ReactionKind; count: number; x: number; y: number; size: number; opacity: number; turn: number };

export class Particles {
  #rising: Rising[] = [];

  /** Whether everything has risen. */
  isDone(nowMs: number): boolean {
    return this.#rising.every(({ startMs }) => nowMs - startMs >= RISE_MS);
  }

  /** So many more. `random`: 0..1. */
  add(counts: readonly ReactionCount[], nowMs: number, random: () => number): void {
    this.#rising = this.#rising.filter(({ startMs }) => nowMs - startMs < RISE_MS);
    const room = RISING_MAX - this.#rising.length;
    for (const { kind, parts } of share(counts, room)) {
      for (const count of parts) {
        this.#rising.push({ kind, count, startMs: nowMs + random() * SPREAD_MS, across: random(), sway: random() * 2 - 1 });
      }
    }
    // Nothing is swallowed: without room it makes what already rises stand for more.
    if (room <= 0) {
      for (const { kind, count } of counts) {
        const found = this.#rising.findLast((each) => each.kind === kind);
        if (found) found.count += count;
      }
    }
  }

  /** What to draw on a picture of this size. */
  at(nowMs: number, width: number, height: number): readonly Drawing[] {
    return this.#rising.flatMap(({ kind, count, startMs, across, sway }) => {
      const age = (nowMs - startMs) / RISE_MS;
      if (age < 0 || age >= 1) return [];
      const single = Math.max(SIZE_MIN, height * SIZE_SHARE);
      const size = single * (1 + Math.min(1, Math.log10(count) / 3) * MERGED_GROWS) * Math.min(1, 0.6 + age * 4);
      const strip = Math.max(width * STRIP_SHARE, single * 3);
      const wave = Math.sin(age * Math.PI * 2 + sway * Math.PI) * single * 0.3;
      const x = Math.min(width - size / 2, Math.max(size / 2, width - strip + single / 2 + across * (strip - single) + wave));
      return [{
        kind, count, x, y: height - size / 2 - easeOut(age) * height * RISE_SHARE, size,
        opacity: Math.min(1, (1 - age) * 2.2), turn: sway * 0.18,
      }];
    });
  }

  clear(): void {
    this.#rising = [];
  }
}

const easeOut = (age: number): number => 1 - (1 - age) ** 1.6;

/** Each kind's counts in at most `room` parts over all kinds, in proportion, every kind with at least one while there is room. */
export function share(counts: readonly ReactionCount[], room: number): ReadonlyArray<{ kind: ReactionKind; parts: readonly number[] }> {
  const wanted = counts.filter(({ count }) => count > 0).sort((a, b) => b.count - a.count).slice(0, Math.max(0, room));
  const all = wanted.reduce((sum, { count }) => sum + count, 0);
  let left = room;
  return wanted.map(({ kind, count }, index) => {
    const others = wanted.length - index - 1;
    const places = all <= room ? count : Math.max(1, Math.min(count, left - others, Math.round((count / all) * room)));
    left -= places;
    return { kind, parts: Array.from({ length: places }, (_, part) => Math.floor((count + part) / places)) };
  });
}
