// Keeps the picture as far behind the server's clock as friends have agreed on, and knows how little it could be here. Pure.
//
// WebRTC is steered by what its receivers hold back (`BufferRamp`); HLS by a little speed, and by a jump where speed would take too long.
import { median } from '../lib/media_time';
import type { EngineName } from './transport';

/** Readings over which the middle is taken: half a second of beats. */
const READINGS = 16;
/** HLS further off than this is nudged, ms, until it is nearer than this. */
const NUDGE_BEYOND_MS = 35;
const NUDGED_WITHIN_MS = 12;
/** How much faster or slower: nobody hears it, because browsers keep the pitch. */
const NUDGE = 0.04;
/** Speed would take half a minute for this, ms: it jumps instead. */
const JUMP_BEYOND_MS = 1_200;
/** Between two jumps, ms: what follows one must be seen first. */
const JUMPS_EVERY_MS = 4_000;
/** Until the first figures of WebRTC's own buffer, ms. */
const ASSUMED_BUFFER_MS = 40;
/** A buffer that was held follows so long after it is let go, ms. */
const FREE_AFTER_MS = 2_000;
/** What is estimated while something is held is taken over in about this long, ms. */
const LEARNS_MS = 4_000;

export type MomentReading = {
  /** `null`: no picture moves that could be steered. */
  engine: EngineName | null;
  /** Server clock minus the media time on screen, ms. */
  behindMs: number | null;
  /** What WebRTC's receivers are asked to hold back now, ms; `null`: as they see fit. */
  heldMs: number | null;
  /** How long WebRTC's packets wait in its buffer, ms, as far as is known. */
  bufferMs: number | null;
  /** HLS plays what is live: its distance from the edge is the least there is. */
  isLive: boolean;
};

export type Steering = {
  /** For the ramp: the latency WebRTC is to come to and the one it has; `null`: not to be steered. */
  webrtc: { wantedMs: number; latencyMs: number | null } | null;
  /** HLS plays at this rate; `null`: as it sees fit. */
  rate: number | null;
  /** HLS is to jump by so much, ms; forwards is positive. */
  jumpMs: number | null;
};

const LEFT_ALONE: Steering = { webrtc: null, rate: null, jumpMs: null };

export class SameMoment {
  #behind: number[] = [];
  #engine: EngineName | null = null;
  #rate = 1;
  #jumpedAt = -Infinity;
  #at: number | null = null;
  /** Of WebRTC's buffer, while nothing is held. */
  #freeBufferMs = ASSUMED_BUFFER_MS;
  #heldAt = -Infinity;
  /** By how much HLS has been slowed down so far, ms. */
  #slowedMs = 0;
  #least: number | null = null;

  /** `targetMs`: how far behind the server's clock the picture is to be; `null`: nobody is waited for. */
  handle(now: number, reading: MomentReading, targetMs: number | null): Steering {
    const elapsed = this.#at === null ? 0 : Math.min(1_000, now - this.#at);
    this.#at = now;
    if (reading.engine !== this.#engine) this.#begin(reading.engine);
    if (reading.engine === null || reading.behindMs === null) {
      this.#behind = [];
      this.#rate = 1;
      return targetMs === null ? LEFT_ALONE : { ...LEFT_ALONE, rate: 1 };
    }
    this.#behind = [...this.#behind, reading.behindMs].slice(-READINGS);
    const behind = this.#behind.length < READINGS ? null : median(this.#behind);
    if (reading.engine === 'webrtc') {
      this.#learnWebrtc(now, elapsed, reading, behind);
      return targetMs === null ? LEFT_ALONE : { ...LEFT_ALONE, webrtc: { wantedMs: targetMs, latencyMs: behind } };
    }
    if (reading.isLive && behind !== null) this.#least = Math.max(0, behind - this.#slowedMs);
    if (targetMs === null) {
      this.#slowedMs = 0;
      this.#rate = 1;
      return LEFT_ALONE;
    }
    return this.#steerHls(now, elapsed, behind, targetMs);
  }

  /** How far behind the picture is, and how little it could be, ms; `null` while that is not known. */
  pace(): { behindMs: number; leastMs: number } | null {
    const behindMs = this.#behind.length < READINGS ? null : median(this.#behind);
    return behindMs === null || this.#least === null ? null : { behindMs, leastMs: Math.min(behindMs, this.#least) };
  }

  #begin(engine: EngineName | null): void {
    this.#engine = engine;
    this.#behind = [];
    this.#rate = 1;
    this.#slowedMs = 0;
    this.#least = null;
  }

  #learnWebrtc(now: number, elapsed: number, { heldMs, bufferMs }: MomentReading, behind: number | null): void {
    if (heldMs !== null) this.#heldAt = now;
    const isFree = now - this.#heldAt > FREE_AFTER_MS;
    if (isFree && bufferMs !== null) this.#freeBufferMs = bufferMs;
    if (behind === null) return;
    if (isFree) {
      this.#least = behind;
      return;
    }
    // What is held lies in the buffer in place of what the buffer would have by itself. What is asked for is believed, not the browser's own figure,
    // which falls short on a busy machine; the picture follows it late, so each estimate counts for a little.
    const estimate = Math.max(0, behind - Math.max(0, (heldMs ?? bufferMs ?? 0) - this.#freeBufferMs));
    this.#least = this.#least === null ? estimate : this.#least + (estimate - this.#least) * Math.min(1, elapsed / LEARNS_MS);
  }

  #steerHls(now: number, elapsed: number, behind: number | null, targetMs: number): Steering {
    this.#slowedMs = Math.max(0, this.#slowedMs + (1 - this.#rate) * elapsed);
    if (behind === null) return { ...LEFT_ALONE, rate: this.#rate };
    const late = behind - targetMs;
    if (Math.abs(late) > JUMP_BEYOND_MS && now - this.#jumpedAt > JUMPS_EVERY_MS) {
      this.#jumpedAt = now;
      this.#behind = [];
      this.#rate = 1;
      this.#slowedMs = Math.max(0, this.#slowedMs - late);
      return { ...LEFT_ALONE, rate: 1, jumpMs: late };
    }
    if (this.#rate === 1 && Math.abs(late) > NUDGE_BEYOND_MS) this.#rate = late > 0 ? 1 + NUDGE : 1 - NUDGE;
    else if (this.#rate !== 1 && (Math.abs(late) < NUDGED_WITHIN_MS || late > 0 !== this.#rate > 1)) this.#rate = 1;
    return { ...LEFT_ALONE, rate: this.#rate };
  }
}
