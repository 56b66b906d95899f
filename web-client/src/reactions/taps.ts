// Taps on their way out and sums on their way in. Taps are merged and leave a few times a second; what comes back are totals, so that the
// difference is what others did, less what was drawn here when the finger came down. Pure.
import type { ReactionCount, ReactionKind, Tap } from '../protocol';

/** Taps leave this often, ms: the protocol asks for four times a second. */
export const TAPS_EVERY_MS = 250;
/** Of one kind in one message: more are not counted. */
export const TAPS_MAX = 20;
/** Own taps that have not come back as part of a sum after this long are lost, ms. */
const OWN_FORGOTTEN_MS = 5_000;

export class Taps {
  #counts = new Map<ReactionKind, number>();

  /** One more. `false`: more than count. */
  add(kind: ReactionKind): boolean {
    const count = this.#counts.get(kind) ?? 0;
    if (count >= TAPS_MAX) return false;
    this.#counts.set(kind, count + 1);
    return true;
  }

  /** What has come together. */
  take(): Tap[] {
    const taps = [...this.#counts].map(([kind, count]) => ({ kind, count }));
    this.#counts.clear();
    return taps;
  }
}

export class Totals {
  #totals = new Map<ReactionKind, number>();
  #own: Array<{ kind: ReactionKind; atMs: number }> = [];

  /** The sums as they stand when somebody comes (or comes back): nothing to draw. */
  start(counts: readonly ReactionCount[]): void {
    this.#totals = new Map(counts.map(({ kind, count }) => [kind, count]));
    this.#own = [];
  }

  /** This person's own tap, drawn already. */
  tapped(kind: ReactionKind, nowMs: number): void {
    this.#own = [...this.#own.filter(({ atMs }) => nowMs - atMs < OWN_FORGOTTEN_MS), { kind, atMs: nowMs }];
  }

  /** New sums: what others have sent since the last ones. */
  grew(counts: readonly ReactionCount[], nowMs: number): ReactionCount[] {
    this.#own = this.#own.filter(({ atMs }) => nowMs - atMs < OWN_FORGOTTEN_MS);
    return counts.flatMap(({ kind, count }) => {
      const more = Math.max(0, count - (this.#totals.get(kind) ?? 0));
      this.#totals.set(kind, Math.max(count, this.#totals.get(kind) ?? 0));
      const own = Math.min(more, this.#own.filter((tap) => tap.kind === kind).length);
      for (let tap = 0; tap < own; tap++) this.#own.splice(this.#own.findIndex((each) => each.kind === kind), 1);
      return more > own ? [{ kind, count: more - own }] : [];
    });
  }

  of(kind: ReactionKind): number {
    return this.#totals.get(kind) ?? 0;
  }
}
