// HLS where the browser plays it by itself and has no Media Source for us (iPhones).
import type { Recorded } from './hls_time';
import type { HlsPlayer, HlsPlayerOptions } from './hls_player';

/** `getStartDate` is Safari's (HTML, "timeline offset"): the date of second 0, invalid where the playlist names none. */
type AppleVideo = HTMLVideoElement & { getStartDate?: () => Date };

export class NativeHlsPlayer implements HlsPlayer {
  readonly rungs = [];
  readonly rung = null;
  readonly #video: AppleVideo;
  readonly #url: string;
  readonly #life = new AbortController();

  /** Where a recording begins, until it does. */
  #fromMs: number | null;
  readonly #isRecorded: boolean;

  constructor({ video, url, fromMs, failed }: HlsPlayerOptions) {
    this.#video = video;
    this.#url = url;
    this.#fromMs = fromMs;
    this.#isRecorded = fromMs !== null;
    video.addEventListener('loadedmetadata', () => { if (this.#fromMs !== null) this.seek(this.#fromMs); }, { signal: this.#life.signal });
    video.addEventListener('error', () => failed('broken', `media error ${video.error?.code ?? ''}`), { signal: this.#life.signal });
  }

  play(): void {
    // Set only now: this browser would load media along with the playlist.
    if (!this.#video.hasAttribute('src')) this.#video.src = this.#url;
  }

  choose(): void {
    // It chooses by itself and takes no advice.
  }

  mediaTimeAt(seconds: number): number | null {
    const start = this.#video.getStartDate?.().getTime() ?? NaN;
    return Number.isNaN(start) ? null : start + seconds * 1000;
  }

  seek(mediaMs: number): void {
    const start = this.mediaTimeAt(0);
    if (start === null || this.#video.readyState === 0) this.#fromMs = mediaMs;
    else this.#video.currentTime = Math.max(this.#video.seekable.length > 0 ? this.#video.seekable.start(0) : 0, (mediaMs - start) / 1000);
  }

  recorded(): Recorded | null {
    const { seekable } = this.#video;
    if (!this.#isRecorded || seekable.length === 0) return null;
    const [fromMs, toMs] = [this.mediaTimeAt(seekable.start(0)), this.mediaTimeAt(seekable.end(seekable.length - 1))];
    return fromMs === null || toMs === null ? null : { fromMs, toMs };
  }

  keepDistance(): void {
    // The system's player has no distance that could be let go.
  }

  toLiveEdge(): void {
    const { seekable } = this.#video;
    if (seekable.length > 0) this.#video.currentTime = seekable.end(seekable.length - 1);
  }

  codec(): string | null {
    return null;
  }

  close(): void {
    this.#life.abort();
    this.#video.removeAttribute('src');
    this.#video.load();
  }
}
