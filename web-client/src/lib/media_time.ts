// Media time on screen: the RTP clock that the server signals, and the frames that the browser says it shows. No DOM, no clock of its own.

/** `media = ntp0Ms + int32(rtp - rtp0) / rateHz`, as in `track_clock`. Media time is ms since the Unix epoch. */
export type ClockMap = { rtp0: number; ntp0Ms: number; rateHz: number };

/** Media time of an RTP timestamp within 2^31 ticks of `rtp0`. */
export function mediaTimeOf(map: ClockMap, rtp: number): number {
  const ticks = (rtp - map.rtp0) | 0;
  return map.ntp0Ms + (ticks * 1000) / map.rateHz;
}

/** Frame period assumed until two frames have been seen, ms. */
const ASSUMED_PERIOD_MS = 34;
/** Periods are smoothed over about this many frames. */
const PERIOD_MEMORY = 8;
/** Frames within this time of each other count as a running picture. */
const LONGEST_PERIOD_MS = 1_100;

/** Follows the frames of one picture. Local times are `performance.now()` ms. */
export class MediaClock {
  #map: ClockMap | null = null;
  #last: { rtp: number; shownAtMs: number } | null = null;
  #periodMs = ASSUMED_PERIOD_MS;

  /** A new line between RTP and media time; it holds for frames already seen as well. */
  setMap(map: ClockMap | null): void {
    this.#map = map;
  }

  /** A frame with RTP timestamp `rtp` is on screen from `shownAtMs` on. */
  frameShown(rtp: number, shownAtMs: number): void {
    if (this.#last) {
      const gap = shownAtMs - this.#last.shownAtMs;
      if (gap > 0 && gap < LONGEST_PERIOD_MS) this.#periodMs += (gap - this.#periodMs) / PERIOD_MEMORY;
    }
    this.#last = { rtp, shownAtMs };
  }

  /** Forgets the picture (a new transport); the next frame starts afresh. */
  reset(): void {
    this.#last = null;
    this.#map = null;
    this.#periodMs = ASSUMED_PERIOD_MS;
  }

  /** Media time on screen at `localMs`. Goes on between frames and stands still once frames stop for two periods. */
  mediaNow(localMs: number): number | null {
    if (!this.#map || !this.#last) return null;
    const since = Math.max(-this.#periodMs, localMs - this.#last.shownAtMs);
    return mediaTimeOf(this.#map, this.#last.rtp) + Math.min(since, 2 * this.#periodMs);
  }

  /**
   * Media time of the frame on screen at `localMs`: what `mediaNow` says, less what it adds for the time since that frame. Whatever must not
   * be known before its frame is seen goes by this.
   */
  seen(localMs: number): number | null {
    const now = this.mediaNow(localMs);
    return now === null || !this.#map || !this.#last ? null : Math.min(now, mediaTimeOf(this.#map, this.#last.rtp));
  }
}

/** Middle value; `null` of nothing. */
export function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? null;
}
