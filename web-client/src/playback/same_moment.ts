// Keeps the picture as far behind the server's clock as friends have agreed on, and knows how little it could be here. Pure.
//
// The least that a picture could be behind is what the others are told, and they wait for it: so it is learnt slowly and only from a picture that
// has its way. A page that cannot keep up (late beats, frames that came and were not drawn) and a stall of HLS are trouble that passes, not a longer way.
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
/** WebRTC's least is the middle of so many estimates, this far apart, ms: of eight seconds. */
const ESTIMATES = 32;
const LEARNS_EVERY_MS = 250;
/** Where each of so many last ones, of two seconds, is above that middle by more than this, ms, the way has grown, and what was before says nothing. */
const GROWN_ESTIMATES = 8;
const GROWN_BY_MS = 35;
/** HLS's least falls with its picture and rises no faster than this, ms a second: slower than a nudge makes good what a stall has cost. */
const LEAST_RISES_MS_PER_S = 10;
/** Beats this far apart, ms, are those of a page that gets nothing done in time. */
const LATE_BEATS_MS = 120;
/** Beats over which their distance is smoothed. */
const BEATS_MEMORY = 8;

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
  /** This page does not draw what comes. */
  isStarved: boolean;
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
  #estimates: number[] = [];
  #learntAt = -Infinity;
  #beatMs = 0;

  /** `targetMs`: how far behind the server's clock the picture is to be; `null`: nobody is waited for. */
  handle(now: number, reading: MomentReading, targetMs: number | null): Steering {
    const elapsed = this.#at === null ? 0 : Math.min(1_000, now - this.#at);
    this.#at = now;
    this.#beatMs += (elapsed - this.#beatMs) / BEATS_MEMORY;
    const isStarved = reading.isStarved || this.#beatMs > LATE_BEATS_MS;
    if (reading.engine !== this.#engine) this.#begin(reading.engine);
    if (reading.engine === null || reading.behindMs === null) {
      this.#behind = [];
      this.#rate = 1;
      return targetMs === null ? LEFT_ALONE : { ...LEFT_ALONE, rate: 1 };
    }
    this.#behind = [...this.#behind, reading.behindMs].slice(-READINGS);
    const behind = this.#behind.length < READINGS ? null : median(this.#behind);
    if (reading.engine === 'webrtc') {
      this.#learnWebrtc(now, reading, behind, isStarved);
      if (targetMs === null) return LEFT_ALONE;
      // What is not drawn in time does not come sooner or later by the buffer: it is at most let go.
      const isKnown = behind !== null && (!isStarved || behind > targetMs);
      return { ...LEFT_ALONE, webrtc: { wantedMs: targetMs, latencyMs: isKnown ? behind : null } };
    }
    if (reading.isLive && behind !== null) this.#learnHls(elapsed, behind, isStarved);
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
    this.#estimates = [];
  }

  #learnWebrtc(now: number, { heldMs, bufferMs }: MomentReading, behind: number | null, isStarved: boolean): void {
    if (heldMs !== null) this.#heldAt = now;
    const isFree = now - this.#heldAt > FREE_AFTER_MS;
    if (isFree && !isStarved && bufferMs !== null) this.#freeBufferMs = bufferMs;
    if (behind === null) return;
    // What is held lies in the buffer in place of what the buffer would have by itself. What is asked for is believed, not the browser's own figure,
    // which falls short on a busy machine; the picture follows it late, so each estimate counts for a little.
    const estimate = isFree ? behind : Math.max(0, behind - Math.max(0, (heldMs ?? bufferMs ?? 0) - this.#freeBufferMs));
    if (isStarved) {
      // Where nothing better is known, the best of it.
      if (this.#estimates.length === 0) this.#least = Math.min(this.#least ?? estimate, estimate);
      return;
    }
    if (now - this.#learntAt < LEARNS_EVERY_MS) return;
    this.#learntAt = now;
    this.#estimates = [...this.#estimates, estimate].slice(-ESTIMATES);
    const latest = this.#estimates.slice(-GROWN_ESTIMATES);
    if (Math.min(...latest) > median(this.#estimates)! + GROWN_BY_MS) this.#estimates = latest;
    this.#least = median(this.#estimates);
  }

  #learnHls(elapsed: number, behind: number, isStarved: boolean): void {
    const estimate = Math.max(0, behind - this.#slowedMs);
    const most = this.#least === null ? estimate : this.#least + (isStarved ? 0 : LEAST_RISES_MS_PER_S * elapsed / 1_000);
    this.#least = Math.min(estimate, most);
  }

  /** What HLS has lost to stalls: going faster makes that good first, and only then what it was slowed down by. */
  #lostMs(behind: number): number {
    return Math.max(0, behind - this.#slowedMs - (this.#least ?? 0));
  }

  #steerHls(now: number, elapsed: number, behind: number | null, targetMs: number): Steering {
    const lostMs = behind === null ? 0 : this.#lostMs(behind);
    if (this.#rate < 1 || lostMs < NUDGED_WITHIN_MS) this.#slowedMs = Math.max(0, this.#slowedMs + (1 - this.#rate) * elapsed);
    if (behind === null) return { ...LEFT_ALONE, rate: this.#rate };
    const late = behind - targetMs;
    if (Math.abs(late) > JUMP_BEYOND_MS && now - this.#jumpedAt > JUMPS_EVERY_MS) {
      this.#jumpedAt = now;
      this.#behind = [];
      this.#rate = 1;
      this.#slowedMs = Math.max(0, this.#slowedMs - (late > 0 ? Math.max(0, late - lostMs) : late));
      return { ...LEFT_ALONE, rate: 1, jumpMs: late };
    }
    if (this.#rate === 1 && Math.abs(late) > NUDGE_BEYOND_MS) this.#rate = late > 0 ? 1 + NUDGE : 1 - NUDGE;
    else if (this.#rate !== 1 && (Math.abs(late) < NUDGED_WITHIN_MS || late > 0 !== this.#rate > 1)) this.#rate = 1;
    return { ...LEFT_ALONE, rate: this.#rate };
  }
}
