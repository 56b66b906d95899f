// The WebRTC engine: what the viewer's session brings, on an element of its own, with the readings that the decision needs.
import { entriesOf, numberOf } from '../lib/stats';
import type { ViewerSession } from '../lib/viewer';
import type { ViewerStats } from '../lib/viewer_state';
import { FrameTrail } from './frames';
import type { Targets } from './ramp';
import type { SecondOfLink } from './link_signs';
import type { EngineReading, TransportReading } from './transport';

/** Packets within this long count as a moving picture where no frame is shown: a hidden tab, a browser without frame callbacks, ms. */
const FLOWS_MS = 500;

/** A page that draws less than this share of the frames that were decoded, or drops more of what came than that, does not keep up. A screen may be
 * half as fast as the picture. */
const DRAWS_AT_LEAST = 0.4;
const DROPS_AT_MOST = 0.3;
/** Frames a second are those of the last one, s: where figures come later, what was drawn before is not asked for. */
const MOST_SECONDS = 1;

/** `jitterBufferTarget` (WebRTC extensions) is not in TypeScript's library. */
type BufferedReceiver = RTCRtpReceiver & { jitterBufferTarget?: number | null };

export class WebRtcEngine {
  readonly #viewer: ViewerSession;
  readonly #trail = new FrameTrail();
  #video: HTMLVideoElement | null = null;
  #reading = false;
  #packets = { count: 0, readAtMs: -1, grewAtMs: -Infinity };
  /** Frames on screen since the last second of figures. */
  #shown = 0;
  #isStarved = false;
  #second: { stats: ViewerStats; as: SecondOfLink } | null = null;

  constructor(viewer: ViewerSession) {
    this.#viewer = viewer;
  }

  attach(video: HTMLVideoElement, until: AbortSignal): void {
    this.#video = video;
    video.srcObject = this.#viewer.stream;
    this.#viewer.watchFrames(video, until);
    let handle = 0;
    const next = (): void => {
      handle = video.requestVideoFrameCallback((nowMs, { rtpTimestamp, expectedDisplayTime }) => {
        // A track that ends leaves a black frame, which nobody sent. Firefox before 132 names no RTP time and has no callbacks either.
        if (rtpTimestamp !== undefined) {
          this.#trail.shown(expectedDisplayTime ?? nowMs);
          this.#shown += 1;
        }
        next();
      });
    };
    if ('requestVideoFrameCallback' in video) next();
    until.addEventListener('abort', () => {
      if (handle) video.cancelVideoFrameCallback(handle);
      video.srcObject = null;
      this.#video = null;
    }, { once: true });
  }

  /** Asks the browser how many packets have come: of the sound where there is any, which is the steadier sign. */
  async count(): Promise<void> {
    const receiver = this.#viewer.receiver(this.#hasSound ? 'audio' : 'video');
    if (this.#reading) return;
    if (!receiver) {
      this.#packets = { count: 0, readAtMs: performance.now(), grewAtMs: -Infinity };
      return;
    }
    this.#reading = true;
    try {
      const entries = entriesOf(await receiver.getStats());
      const count = entries.filter(({ type }) => type === 'inbound-rtp').reduce((sum, entry) => sum + numberOf(entry, 'packetsReceived'), 0);
      const readAtMs = performance.now();
      this.#packets = { count, readAtMs, grewAtMs: count > this.#packets.count ? readAtMs : this.#packets.grewAtMs };
    } catch {
      // The connection closed under us; the next count has the new one.
    } finally {
      this.#reading = false;
    }
  }

  read(now: number): TransportReading['webrtc'] {
    const viewer = this.#viewer;
    return {
      ...this.#frames(now),
      mediaMs: this.#sees ? viewer.mediaNow(now) : viewer.moment(now) ?? null,
      connected: viewer.linkUp,
      packets: this.#packets.count,
      readAtMs: this.#packets.readAtMs,
      expected: viewer.expectsMedia(now),
      sound: this.#hasSound,
      undecodable: viewer.undecodable,
      second: this.#latestSecond(),
    };
  }

  /** More comes than this page draws: what it shows is late by itself, and not by its way. */
  get isStarved(): boolean {
    return this.#sees && this.#isStarved;
  }

  /** How long packets are to be held back. */
  hold(targets: Targets): void {
    for (const kind of ['audio', 'video'] as const) {
      const receiver: BufferedReceiver | null = this.#viewer.receiver(kind);
      // Another transport has other receivers, so what they say counts and not what was last asked.
      if (receiver && 'jitterBufferTarget' in receiver && receiver.jitterBufferTarget !== targets[kind]) receiver.jitterBufferTarget = targets[kind];
    }
  }

  get #hasSound(): boolean {
    return this.#viewer.broadcast.peek()?.has_audio ?? true;
  }

  get #sees(): boolean {
    return !document.hidden && this.#video !== null && 'requestVideoFrameCallback' in this.#video;
  }

  #frames(now: number): Pick<EngineReading, 'moving' | 'frozen'> {
    if (this.#sees) {
      // Where only sound is wanted no frame ever comes.
      const moving = this.#viewer.quality.peek().mode === 'audio_only' ? this.#flows(now) : this.#trail.moving(now);
      return { moving, frozen: this.#trail.frozen(now) };
    }
    return { moving: this.#flows(now), frozen: !this.#flows(now) };
  }

  #flows(now: number): boolean {
    return now - this.#packets.grewAtMs < FLOWS_MS;
  }

  #latestSecond(): SecondOfLink | null {
    const stats = this.#viewer.stats.peek();
    if (!stats) return null;
    if (this.#second?.stats !== stats) {
      const before = this.#second?.stats;
      const now = performance.now();
      const since = this.#second?.as.atMs ?? now;
      const dropped = before ? Math.max(0, stats.framesDropped - before.framesDropped) : 0;
      this.#second = {
        stats,
        as: {
          atMs: now,
          loss: stats.loss,
          roundTripMs: stats.roundTripMs,
          dropped: document.hidden || stats.framesPerSecond === 0 ? 0 : dropped / (dropped + stats.framesPerSecond),
          frozen: before !== undefined && stats.freezes > before.freezes,
        },
      };
      const decoded = stats.framesPerSecond * Math.min(MOST_SECONDS, (now - since) / 1_000);
      this.#isStarved = before !== undefined && !document.hidden && (this.#shown < DRAWS_AT_LEAST * decoded || this.#second.as.dropped > DROPS_AT_MOST);
      this.#shown = 0;
    }
    return this.#second.as;
  }
}
