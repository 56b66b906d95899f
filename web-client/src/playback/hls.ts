// The HLS engine: one element for life, and a player behind it that is made, warmed, played and closed as the plan says.
import { type ReadonlySignal, signal } from '@preact/signals';
import { BACKOFF_CAP_MS, backoffMs } from '../lib/backoff';
import { MediaClock } from '../lib/media_time';
import type { ViewerStats } from '../lib/viewer_state';
import { FrameTrail } from './frames';
import type { HlsFailure, HlsPlayer, MakeHlsPlayer } from './hls_player';
import type { Recorded, Rung } from './hls_time';
import type { EngineReading, Warmth } from './transport';

/** A packager that nobody asks stops after 30 s: a warm playlist asks this often, ms, with as much again at random spread over a crowd. */
const ASK_EVERY_MS = 15_000;
const ASK_SPREAD_MS = 7_000;
/** While there are fewer pictures than are published, which is so when a broadcast has just begun, ms. */
const ASK_AGAIN_MS = 3_000;
/** What cannot be had while nobody needs it is asked for no more often than this, ms. */
const IDLE_RETRY_MS = 30_000;
/** Frame callbacks count time in seconds; a clock that counts in ticks keeps whole numbers. */
const TICKS_PER_S = 90_000;
/** The element's time must have gone on within this long to count as moving where no frame is shown, ms. */
const RUNS_MS = 1_000;
const STATS_EVERY_MS = 1_000;
/** How good the still needs to be that stands while one playlist gives way to another. */
const STILL_QUALITY = 0.8;

export type HlsOptions = {
  /** Of what is live. */
  url: string;
  /** Of the recording. */
  recordedUrl: string;
  /** `null`: this browser plays no HLS in any way. */
  make: MakeHlsPlayer | null;
  lifetime: AbortSignal;
};
export type HlsWish = {
  warmth: Warmth;
  rung: number | null;
  lowest: boolean;
  carriesBps: number;
  /** Pictures that are published now. */
  sizes: number;
  /** The recording, from this media time on; `null`: what is live. */
  fromMs: number | null;
};

export class HlsEngine {
  readonly #options: HlsOptions;
  readonly #clock = new MediaClock();
  readonly #trail = new FrameTrail();
  readonly #rungs = signal<readonly Rung[]>([]);
  readonly #rung = signal<number | null>(null);
  readonly #stats = signal<ViewerStats | null>(null);
  #video: HTMLVideoElement | null = null;
  #player: HlsPlayer | null = null;
  #wish: HlsWish = { warmth: 'off', rung: null, lowest: false, carriesBps: 0, sizes: 0, fromMs: null };
  #impossible: boolean;
  #attempt = 0;
  #retryAt = 0;
  #askAt = 0;
  #askedAt = 0;
  /** For tabs in which no frame is shown. */
  #ran = { seconds: -1, atMs: -Infinity };
  #counted = { atMs: 0, frames: 0, dropped: 0 };
  #speed = 1;
  /** The rate that somebody else steers it by; `null`: nobody does. */
  #steered: number | null = null;
  /** The last moment that was on screen of the recording: where another try goes on. */
  #lastMs: number | null = null;

  constructor(options: HlsOptions) {
    this.#options = options;
    this.#impossible = options.make === null;
  }

  /** What there is to choose from, smallest first. */
  get rungs(): ReadonlySignal<readonly Rung[]> {
    return this.#rungs;
  }
  get rung(): ReadonlySignal<number | null> {
    return this.#rung;
  }
  get stats(): ReadonlySignal<ViewerStats | null> {
    return this.#stats;
  }
  get impossible(): boolean {
    return this.#impossible;
  }
  /** What plays (or is about to) is the recording. */
  get isRecorded(): boolean {
    return this.#player !== null && this.#wish.fromMs !== null;
  }
  /** What the recording reaches over, once it is loaded. */
  get recorded(): Recorded | null {
    return this.#player?.recorded() ?? null;
  }

  attach(video: HTMLVideoElement, until: AbortSignal): void {
    this.#video = video;
    let handle = 0;
    const next = (): void => {
      handle = video.requestVideoFrameCallback((nowMs, frame) => {
        this.#frameShown(frame.mediaTime, frame.expectedDisplayTime ?? nowMs);
        next();
      });
    };
    if ('requestVideoFrameCallback' in video) next();
    // Another engine may take over on the same element.
    AbortSignal.any([until, this.#options.lifetime]).addEventListener('abort', () => {
      if (handle) video.cancelVideoFrameCallback(handle);
      this.#close();
      this.#video = null;
    }, { once: true });
  }

  /** The plan's wish of this moment; called with every beat. */
  want(now: number, wish: HlsWish): void {
    const before = this.#wish.warmth;
    if ((this.#wish.fromMs === null) !== (wish.fromMs === null)) this.#changeOver(now, wish.warmth === 'playing');
    this.#wish = wish;
    if (wish.warmth === 'off' || (wish.warmth === 'playlist' && (before === 'lowest' || before === 'playing'))) this.#close();
    if (wish.warmth === 'off' || this.#impossible || !this.#video) return;
    // In need the patience of idle times is over.
    if (wish.warmth !== 'playlist' && before === 'playlist') this.#retryAt = Math.min(this.#retryAt, now);
    if (!this.#player) {
      if (now >= this.#retryAt) this.#make(now, this.#video);
      return;
    }
    this.#rungs.value = sameRungs(this.#rungs.peek(), this.#player.rungs) ? this.#rungs.peek() : this.#player.rungs;
    this.#rung.value = this.#player.rung;
    this.#player.choose(wish.warmth === 'lowest' || wish.lowest ? 'lowest' : wish.rung);
    if (wish.warmth === 'playlist') this.#ask(now);
    else this.#playOn(now, this.#player, this.#video);
  }

  read(now: number): EngineReading {
    return { moving: this.#moves(now), frozen: this.#trail.frozen(now), mediaMs: this.mediaNow(now) };
  }

  mediaNow(now: number): number | null {
    if (document.hidden && this.#player && this.#video) return this.#player.mediaTimeAt(this.#video.currentTime);
    return this.#clock.mediaNow(now);
  }

  /** Of the frame on screen; see `MediaClock.seen`. */
  seen(now: number): number | null {
    return document.hidden ? this.mediaNow(now) : this.#clock.seen(now);
  }

  /** Of the recording: to another moment. */
  seek(mediaMs: number): void {
    this.#lastMs = mediaMs;
    this.#trail.reset();
    if (this.isRecorded) this.#player?.seek(mediaMs);
  }

  /** How fast the recording plays; what is live has a speed of its own. */
  setSpeed(speed: number): void {
    this.#speed = speed;
    this.#applySpeed();
  }

  /** Plays at `rate`, and jumps by `jumpMs` once, to be where others are; `rate` of `null`: as it sees fit. */
  steer(rate: number | null, jumpMs: number | null): void {
    this.#player?.keepDistance(rate === null);
    const video = this.#video;
    if (video && jumpMs !== null && video.readyState >= HTMLMediaElement.HAVE_METADATA) {
      const ahead = video.buffered.length > 0 ? video.buffered.end(video.buffered.length - 1) : video.currentTime;
      video.currentTime = Math.max(0, Math.min(video.currentTime + jumpMs / 1_000, ahead));
    }
    if (rate === this.#steered) return;
    this.#steered = rate;
    this.#applySpeed();
  }

  toLiveEdge(): void {
    this.#player?.toLiveEdge();
  }

  /** What made it impossible may be otherwise now. */
  tryAfresh(): void {
    this.#impossible = this.#options.make === null;
    this.#attempt = 0;
    this.#retryAt = 0;
  }

  #frameShown(seconds: number, shownAtMs: number): void {
    const mediaMs = this.#player?.mediaTimeAt(seconds) ?? null;
    if (mediaMs === null) return;
    const ticks = Math.round(seconds * TICKS_PER_S) | 0;
    this.#clock.setMap({ rtp0: ticks, ntp0Ms: mediaMs, rateHz: TICKS_PER_S });
    this.#clock.frameShown(ticks, shownAtMs);
    this.#trail.shown(shownAtMs);
    this.#attempt = 0;
    this.#lastMs = mediaMs;
    this.#video?.removeAttribute('poster');
  }

  #moves(now: number): boolean {
    if (!this.#player || !this.#video || this.#wish.warmth === 'playlist') return false;
    if (!document.hidden && 'requestVideoFrameCallback' in this.#video) return this.#trail.moving(now);
    return now - this.#ran.atMs < RUNS_MS;
  }

  #make(now: number, video: HTMLVideoElement): void {
    const { make } = this.#options;
    if (!make) return;
    const isRecorded = this.#wish.fromMs !== null;
    const url = isRecorded ? this.#options.recordedUrl : this.#options.url;
    const fromMs = isRecorded ? (this.#lastMs ?? this.#wish.fromMs) : null;
    this.#trail.reset();
    this.#clock.reset();
    const player: HlsPlayer = make({
      video, url, fromMs, carriesBps: this.#wish.carriesBps,
      failed: (failure, what) => { if (this.#player === player) this.#failed(failure, what); },
    });
    this.#player = player;
    this.#askAt = now + ASK_EVERY_MS;
    this.#askedAt = now;
    this.#applySpeed();
  }

  /** One playlist gives way to the other on the same element: if anybody sees it, its last frame stands until the next one has a frame. */
  #changeOver(now: number, isSeen: boolean): void {
    const video = this.#video;
    if (isSeen && video && this.#player && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && video.videoWidth > 0) {
      const still = document.createElement('canvas');
      [still.width, still.height] = [video.videoWidth, video.videoHeight];
      still.getContext('2d')?.drawImage(video, 0, 0);
      video.poster = still.toDataURL('image/jpeg', STILL_QUALITY);
    }
    this.#close();
    this.#lastMs = null;
    this.#attempt = 0;
    this.#retryAt = now;
  }

  #applySpeed(): void {
    if (!this.#video) return;
    const speed = (this.#wish.fromMs === null ? 1 : this.#speed) * (this.#steered ?? 1);
    // Loading something else sets the one back to the other.
    this.#video.defaultPlaybackRate = this.#video.playbackRate = speed;
  }

  #failed(failure: HlsFailure, what: string): void {
    console.info(`HLS: ${what} (${failure})`);
    this.#close();
    this.#impossible = failure === 'impossible';
    const idle = this.#wish.warmth === 'playlist' ? IDLE_RETRY_MS : 0;
    this.#retryAt = performance.now() + Math.max(idle, backoffMs(this.#attempt++, Math.random()));
  }

  #playOn(now: number, player: HlsPlayer, video: HTMLVideoElement): void {
    player.play();
    if (video.currentTime !== this.#ran.seconds) this.#ran = { seconds: video.currentTime, atMs: now };
    if (now - this.#counted.atMs >= STATS_EVERY_MS) this.#count(now, player, video);
  }

  /**
   * Keeps the packager awake and the connection open. Players read the list of pictures once, so one that has grown wants another player; while it
   * is whole only its head is asked for, which wants no picture that nobody is sent.
   */
  #ask(now: number): void {
    const player = this.#player;
    if (!player) return;
    const isWhole = player.rungs.length >= this.#wish.sizes;
    if (now < (isWhole ? this.#askAt : Math.min(this.#askAt, this.#askedAt + ASK_AGAIN_MS))) return;
    this.#askedAt = now;
    this.#askAt = now + ASK_EVERY_MS + Math.random() * ASK_SPREAD_MS;
    const { url, lifetime } = this.#options;
    const signal = AbortSignal.any([lifetime, AbortSignal.timeout(BACKOFF_CAP_MS)]);
    fetch(url, { method: isWhole ? 'HEAD' : 'GET', signal })
      .then(async (response) => {
        if (!response.ok || isWhole) return response.body?.cancel();
        const sizes = new Set((await response.text()).match(/RESOLUTION=\d+x\d+/g)).size;
        if (sizes > player.rungs.length && this.#player === player && this.#wish.warmth === 'playlist') this.#close();
        // Whether it is well is seen when it is needed.
      }).catch(() => undefined);
  }

  #count(now: number, player: HlsPlayer, video: HTMLVideoElement): void {
    const { totalVideoFrames: frames, droppedVideoFrames: dropped } = video.getVideoPlaybackQuality();
    const seconds = (now - this.#counted.atMs) / 1000;
    const shown = Math.max(0, frames - this.#counted.frames);
    const lasts = video.buffered.length > 0 ? Math.max(0, video.buffered.end(video.buffered.length - 1) - video.currentTime) : 0;
    this.#counted = { atMs: now, frames, dropped };
    this.#stats.value = {
      transport: 'hls',
      codec: player.codec(),
      width: video.videoWidth,
      height: video.videoHeight,
      framesPerSecond: Math.round(shown / seconds),
      videoBps: player.rungs[player.rung ?? -1]?.bitrateBps ?? 0,
      audioBps: 0,
      roundTripMs: null,
      loss: 0,
      jitterBufferMs: lasts * 1000,
      decodeMs: null,
      freezes: 0,
      frozenMs: 0,
      framesDropped: dropped,
      totalDelayMs: null,
    };
  }

  #close(): void {
    this.#player?.close();
    this.#player = null;
    this.#rungs.value = [];
    this.#rung.value = null;
    this.#stats.value = null;
    this.#trail.reset();
    this.#clock.reset();
  }
}

function sameRungs(a: readonly Rung[], b: readonly Rung[]): boolean {
  return a.length === b.length && a.every(({ height, bitrateBps }, index) => height === b[index]?.height && bitrateBps === b[index]?.bitrateBps);
}
