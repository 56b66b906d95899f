// HLS over Media Source with hls.js. Loaded when it is needed: no first page carries it.
import Hls, { type Fragment, type HlsConfig, type Level, type PlaylistLoaderConstructor } from 'hls.js';
import type { HlsPlayer, HlsPlayerOptions } from './hls_player';
import { type PlacedFragment, type Recorded, type Rung, beginningAt, firstRung, mediaTimeAt, recordedOf, secondsAt } from './hls_time';

/** What is kept ahead and behind of the moment that plays, s. */
const AHEAD_S = 12;
const BEHIND_S = 20;
/** The same of a recording: steps back within it need no network. */
const RECORDED_AHEAD_S = 24;
const RECORDED_BEHIND_S = 90;
/** How fast it may play to come back to its distance from the live edge. */
const CATCH_UP_RATE = 1.05;
/** This much behind its distance from the live edge it skips, s; and not again before so long, ms: a slow device must not skip all the time. */
const LATE_S = 2;
const SKIP_EVERY_MS = 8_000;

/** Apple's browsers say that they take Opus in MP4 and do not all play it. */
const takesOpus = (): boolean => {
  const source = globalThis.MediaSource ?? (globalThis as { ManagedMediaSource?: typeof MediaSource }).ManagedMediaSource;
  return !navigator.vendor.includes('Apple') && (source?.isTypeSupported('audio/mp4; codecs="opus"') ?? false);
};

export const canUseMediaSource = (): boolean => Hls.isSupported();

export class HlsJsPlayer implements HlsPlayer {
  readonly #hls: Hls;
  readonly #video: HTMLVideoElement;
  readonly #life = new AbortController();
  #levels: readonly Level[] = [];
  #choice: number | 'lowest' | null = null;
  #wantsMedia = false;
  #loading = false;
  #mended = false;
  #skipAt = 0;
  #keepsDistance = true;
  /** Where a recording is to begin: until it has, another wish replaces it. */
  #fromMs: number | null;
  /** It was wished too late to begin there. */
  #lateMs: number | null = null;
  readonly #isRecorded: boolean;

  constructor({ video, url, fromMs, carriesBps, failed }: HlsPlayerOptions) {
    this.#video = video;
    this.#fromMs = fromMs;
    this.#isRecorded = fromMs !== null;
    this.#hls = new Hls({
      autoStartLoad: false,
      lowLatencyMode: !this.#isRecorded,
      // Fragments are in the form that browsers take already: there is no work for a worker.
      enableWorker: false,
      capLevelOnFPSDrop: true,
      ...(this.#isRecorded
        ? { maxBufferLength: RECORDED_AHEAD_S, backBufferLength: RECORDED_BEHIND_S, pLoader: this.#beginning() }
        : { maxBufferLength: AHEAD_S, backBufferLength: BEHIND_S, maxLiveSyncPlaybackRate: CATCH_UP_RATE }),
      abrEwmaDefaultEstimate: carriesBps,
    });
    this.#hls.on(Hls.Events.MANIFEST_PARSED, () => {
      this.#preferOpus();
      this.#levels = this.#hls.levels;
      if (!this.#levels.some(({ height, videoCodec }) => height > 0 || videoCodec)) {
        failed('impossible', 'there is no picture in it');
        return;
      }
      this.#hls.startLevel = this.#levelOf(firstRung(this.rungs, carriesBps));
      this.#useChoice();
      this.#startLoading();
    });
    this.#hls.on(Hls.Events.ERROR, (_, { fatal, type, details }) => {
      if (!fatal) return;
      if (type === Hls.ErrorTypes.MEDIA_ERROR && !this.#mended) {
        this.#mended = true;
        this.#hls.recoverMediaError();
        return;
      }
      const impossible = details === Hls.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR;
      failed(impossible ? 'impossible' : 'broken', details);
    });
    // Not before: hls.js loads for the place where it begins until the element is there, and an element that has been moved waits for ever.
    video.addEventListener('loadeddata', () => {
      const late = this.#lateMs;
      this.#fromMs = this.#lateMs = null;
      if (late !== null) this.seek(late);
    }, { signal: this.#life.signal });
    this.#hls.attachMedia(video);
    this.#hls.loadSource(url);
  }

  /** Each picture is listed once for each kind of sound: a rung is a picture. */
  get rungs(): readonly Rung[] {
    return this.#heights().map((height) => ({ height, bitrateBps: this.#levels.find((level) => level.height === height)?.bitrate ?? 0 }));
  }

  get rung(): number | null {
    const height = this.#levels[this.#hls.currentLevel]?.height;
    return height === undefined ? null : this.#heights().indexOf(height);
  }

  play(): void {
    this.#wantsMedia = true;
    this.#startLoading();
    this.#keepUp();
  }

  choose(rung: number | 'lowest' | null): void {
    if (rung === this.#choice) return;
    this.#choice = rung;
    if (this.#levels.length > 0) this.#useChoice();
  }

  mediaTimeAt(seconds: number): number | null {
    return mediaTimeAt(this.#fragments(), seconds);
  }

  seek(mediaMs: number): void {
    const at = this.#video.readyState > 0 ? secondsAt(this.#fragments(), mediaMs) : null;
    if (at === null || this.#fromMs !== null) this.#fromMs = this.#lateMs = mediaMs;
    else this.#video.currentTime = at;
  }

  recorded(): Recorded | null {
    return this.#isRecorded ? recordedOf(this.#fragments()) : null;
  }

  keepDistance(on: boolean): void {
    if (on === this.#keepsDistance || this.#isRecorded) return;
    this.#keepsDistance = on;
    this.#hls.config.maxLiveSyncPlaybackRate = on ? CATCH_UP_RATE : 1;
  }

  toLiveEdge(): void {
    const at = this.#hls.liveSyncPosition;
    // What lies within a part of it is there already.
    if (at !== null && Math.abs(at - this.#video.currentTime) > 0.5) this.#video.currentTime = at;
  }

  codec(): string | null {
    const codec = this.#hls.levels[Math.max(0, this.#hls.currentLevel)]?.videoCodec ?? '';
    const name = [['avc', 'h264'], ['vp09', 'vp9'], ['av01', 'av1']].find(([prefix]) => prefix && codec.startsWith(prefix));
    return name?.[1] ?? null;
  }

  close(): void {
    this.#life.abort();
    this.#hls.destroy();
  }

  /** Tells hls.js where to begin, in its own terms and before it asks for any media. */
  #beginning(): PlaylistLoaderConstructor {
    const place = () => this.#fromMs;
    const Loader = Hls.DefaultConfig.loader;
    return class extends Loader {
      override load(...[context, config, callbacks]: Parameters<InstanceType<HlsConfig['loader']>['load']>): void {
        super.load(context, config, {
          ...callbacks,
          onSuccess: (response, ...rest) => {
            const at = place();
            if (at !== null && typeof response.data === 'string') response.data = beginningAt(response.data, at);
            callbacks.onSuccess(response, ...rest);
          },
        });
      }
    } as PlaylistLoaderConstructor;
  }

  #fragments(): readonly PlacedFragment[] {
    const details = this.#hls.levels[Math.max(0, this.#hls.currentLevel)]?.details;
    if (!details) return [];
    const fragments: Fragment[] = [...details.fragments];
    if (details.fragmentHint) fragments.push(details.fragmentHint);
    return fragments;
  }

  /** The sound as it was published rather than the one that a child of the server makes of it, a moment later and not always. */
  #preferOpus(): void {
    const isOpus = (level: Level) => level.audioCodec?.toLowerCase() === 'opus';
    if (!takesOpus() || !this.#hls.levels.some(isOpus)) return;
    for (let index = this.#hls.levels.length - 1; index >= 0; index--) {
      const level = this.#hls.levels[index];
      if (level && !isOpus(level)) this.#hls.removeLevel(index);
    }
  }

  /** Stalls add up, and a little speed takes long to make them good: from some point on it is better to skip. */
  #keepUp(): void {
    const now = performance.now();
    if (this.#isRecorded || !this.#keepsDistance || this.#video.paused || now < this.#skipAt || this.#hls.liveSyncPosition === null) return;
    if (this.#hls.latency - (this.#hls.targetLatency ?? 0) < LATE_S) return;
    this.#skipAt = now + SKIP_EVERY_MS;
    this.toLiveEdge();
  }

  #startLoading(): void {
    if (!this.#wantsMedia || this.#loading || this.#levels.length === 0) return;
    this.#loading = true;
    this.#hls.startLoad(-1);
  }

  #useChoice(): void {
    const lowest = this.#levelOf(0);
    this.#hls.autoLevelCapping = this.#choice === 'lowest' ? lowest : -1;
    if (this.#choice === 'lowest') this.#hls.startLevel = lowest;
    // -1: by itself.
    else this.#hls.nextLevel = this.#choice === null ? -1 : this.#levelOf(this.#choice);
  }

  #heights(): readonly number[] {
    return [...new Set(this.#levels.map(({ height }) => height))].filter((height) => height > 0);
  }

  /** The level with the picture of `rung` and the sound that plays now. */
  #levelOf(rung: number): number {
    const height = this.#heights()[rung];
    const sound = this.#levels[this.#hls.currentLevel]?.audioCodec;
    const same = this.#levels.findIndex((level) => level.height === height && level.audioCodec === sound);
    return same >= 0 ? same : this.#levels.findIndex((level) => level.height === height);
  }
}
