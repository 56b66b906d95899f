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
/** On screen a picture further off than the first is moved until it is nearer than the second, ms: four of them are to be within a frame. */
const MOVED_BEYOND_MS = 8;
const MOVED_WITHIN_MS = 2;
/** What was asked for on screen is in the measured latency after this long, ms: the buffer follows within half a second, and the measure is a middle. */
const FOLLOWS_AFTER_MS = 750;
/** The buffer may be asked for more than the whole latency by this, ms: browsers hold back less than they are asked, by 80 ms at worst. */
const BEYOND_MS = 150;
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
  /** What was asked for lately: the first is as long ago as the measured latency. */
  #asked: { at: number; targetMs: number }[] = [];
  #isMoving = false;

  handle(now: number, { wantedMs, latencyMs, onScreen }: RampReading): Targets {
    const seconds = this.#at === null ? 0 : Math.min(1, (now - this.#at) / 1000);
    this.#at = now;
    if (latencyMs !== null) this.#knownAt = now;
    if (wantedMs === null) {
      this.#targetMs = onScreen ? Math.max(0, this.#targetMs - DOWN_MS_PER_S * seconds) : 0;
    } else if (onScreen) {
      // What has been asked for already is not asked for again while it is not in the measured latency yet.
      const pendingMs = this.#targetMs - (this.#asked[0]?.targetMs ?? this.#targetMs);
      const error = latencyMs === null ? 0 : wantedMs - latencyMs - pendingMs;
      this.#isMoving = Math.abs(error) > (this.#isMoving ? MOVED_WITHIN_MS : MOVED_BEYOND_MS);
      if (this.#isMoving) this.#move(Math.min(UP_MS_PER_S * seconds, Math.max(-DOWN_MS_PER_S * seconds, error)), wantedMs);
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
    const known = this.#asked.findLastIndex(({ at }) => at <= now - FOLLOWS_AFTER_MS);
    this.#asked = [...this.#asked.slice(Math.max(0, known)), { at: now, targetMs: this.#targetMs }];
    const target = this.#targetMs < 1 ? null : Math.round(this.#targetMs);
    return { audio: target, video: target };
  }

  /** To the live edge at once: the person asked for it, or nothing is on screen that could stop. */
  drop(): void {
    this.#targetMs = 0;
  }

  /** Hardly beyond the latency itself: a picture that does not follow what is asked (a page with too little time) would be asked for more and more. */
  #move(byMs: number, wantedMs: number): void {
    this.#targetMs = Math.min(TARGET_MAX_MS, Math.max(0, wantedMs) + BEYOND_MS, Math.max(0, this.#targetMs + byMs));
  }
}
