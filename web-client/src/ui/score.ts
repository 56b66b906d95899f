// Teams, score and match clock as they stand at a moment of media time. Pure.
//
// Score and clock are stamped with the media time at which they became true. They are shown when the picture gets there, so that nobody
// reads of a goal before seeing it.
import type { BroadcastView, Marker, MatchClock } from '../protocol';

/** The match clock at media time `mediaMs`: runs on from its stamp. */
export function clockAt(clock: MatchClock, mediaMs: number): number {
  return clock.running ? Math.max(0, clock.elapsed_ms + (mediaMs - clock.at_media_ms)) : clock.elapsed_ms;
}

/** A moment's time: by the match clock when there is one, else since the broadcast began. */
export function momentAt(marker: Marker, broadcast: BroadcastView): number {
  if (broadcast.clock) return Math.max(0, broadcast.clock.elapsed_ms - (broadcast.clock.at_media_ms - marker.media_time_ms));
  return Math.max(0, marker.media_time_ms - (broadcast.started_at_ms ?? marker.media_time_ms));
}

type Stamped = { at_media_ms: number };

/** At most this many values wait for their moment; older ones are passed over. A burst of corrections is a handful. */
const WAITING_MAX = 32;

/** Holds values back until the picture reaches their stamps. */
export class HeldBack<T extends Stamped> {
  #shown: T | null = null;
  #waiting: T[] = [];

  /** The value that the server has now. The same value again changes nothing; `null` clears at once. */
  push(value: T | null): void {
    if (value === null) {
      this.#shown = null;
      this.#waiting = [];
      return;
    }
    const newest = this.#waiting.at(-1) ?? this.#shown;
    if (newest && sameValue(newest, value)) return;
    // A correction of something not yet shown replaces what comes after it.
    this.#waiting = [...this.#waiting.filter((held) => held.at_media_ms < value.at_media_ms), value].slice(-WAITING_MAX);
  }

  /** What holds at media time `mediaMs`. While no media time is known, the first value shows and later ones wait. */
  at(mediaMs: number | null): T | null {
    const due = mediaMs === null ? (this.#shown ? [] : this.#waiting.slice(0, 1)) : this.#waiting.filter((held) => held.at_media_ms <= mediaMs);
    const latest = due.at(-1);
    if (latest) {
      this.#shown = latest;
      this.#waiting = this.#waiting.filter((held) => held.at_media_ms > latest.at_media_ms);
    }
    return this.#shown;
  }
}

function sameValue(a: Stamped, b: Stamped): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
