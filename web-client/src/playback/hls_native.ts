// HLS where the browser plays it by itself and has no Media Source for us (iPhones). It takes no header, so broadcasts that need a token
// are out of its reach.
import type { HlsPlayer, HlsPlayerOptions } from './hls_player';

/** `getStartDate` is Safari's (HTML, "timeline offset"): the date of second 0, invalid where the playlist names none. */
type AppleVideo = HTMLVideoElement & { getStartDate?: () => Date };

export class NativeHlsPlayer implements HlsPlayer {
  readonly rungs = [];
  readonly rung = null;
  readonly #video: AppleVideo;
  readonly #url: string;
  readonly #life = new AbortController();

  constructor({ video, url, token, failed }: HlsPlayerOptions) {
    this.#video = video;
    this.#url = url;
    if (token !== null) {
      // Said later: whoever makes a player does not expect an answer from within.
      queueMicrotask(() => failed('impossible', 'this browser sends no token with HLS'));
      return;
    }
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
