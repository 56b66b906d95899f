// How long WebRTC's receivers should hold packets back, so that their picture is at HLS's moment. Pure.
//
// A step of the target stops the picture by the whole step and leaves the sound behind it for many seconds (measured, `docs/playback.md`): what
// is on screen is moved slowly, what nobody sees at once.

/** The most that browsers take, ms. */
const TARGET_MAX_MS = 4_000;
/** Sound follows no faster, ms a second. */
const UP_MS_PER_S = 50;
const DOWN_MS_PER_S = 40;
/** Pictures this near to each other are left alone, ms: half a frame. */
const DEAD_BAND_MS = 17;
/** A change takes about this long to be seen in the measured latency, ms, and a picture that goes by itself meanwhile is not chased. */
const SEEN_AFTER_MS = 600;
/** A step stops the picture by as much, and then its latency is not known. One that stands longer has stopped for another reason, ms. */
const STEP_MAX_MS = TARGET_MAX_MS + 500;

export type RampReading = {
  /** The latency to come to, ms; `null`: the least there is. */
  wantedMs: number | null;
  /** The latency of WebRTC's picture now, ms; `null` before its first frame. */
  latencyMs: number | null;
  /** Somebody watches it move. */
  onScreen: boolean;
};

/** For `jitterBufferTarget`, ms; `null`: as the browser sees fit. */
export type Targets = { audio: number | null; video: number | null };

export class BufferRamp {
  #targetMs = 0;
  #at: number | null = null;
  #correctedAt = -Infinity;
  #knownAt = -Infinity;

  handle(now: number, { wantedMs, latencyMs, onScreen }: RampReading): Targets {
    const seconds = this.#at === null ? 0 : Math.min(1, (now - this.#at) / 1000);
    this.#at = now;
    if (latencyMs !== null) this.#knownAt = now;
    if (wantedMs === null) {
      this.#targetMs = onScreen ? Math.max(0, this.#targetMs - DOWN_MS_PER_S * seconds) : 0;
    } else if (onScreen) {
      const error = wantedMs - (latencyMs ?? wantedMs);
      if (Math.abs(error) > DEAD_BAND_MS) this.#move(Math.min(UP_MS_PER_S * seconds, Math.max(-DOWN_MS_PER_S * seconds, error)), wantedMs);
    } else if (latencyMs === null && now - this.#knownAt > STEP_MAX_MS) {
      // The picture begins with what a newcomer is sent, which is late by itself: it must be at the live edge before it is held back. The sound,
      // which takes its time, gets there meanwhile.
      this.#targetMs = 0;
      this.#correctedAt = -Infinity;
      return { audio: Math.min(TARGET_MAX_MS, Math.round(wantedMs)), video: null };
    } else if (latencyMs !== null && now - this.#correctedAt >= SEEN_AFTER_MS && Math.abs(wantedMs - latencyMs) > DEAD_BAND_MS) {
      this.#move(wantedMs - latencyMs, wantedMs);
      this.#correctedAt = now;
    }
    const target = this.#targetMs < 1 ? null : Math.round(this.#targetMs);
    return { audio: target, video: target };
  }

  /** To the live edge at once: the person asked for it, or nothing is on screen that could stop. */
  drop(): void {
    this.#targetMs = 0;
  }

  /** Never beyond the latency itself: a picture that does not follow what is asked (a page with too little time) would be asked for more and more. */
  #move(byMs: number, wantedMs: number): void {
    this.#targetMs = Math.min(TARGET_MAX_MS, Math.max(0, wantedMs), Math.max(0, this.#targetMs + byMs));
  }
}
