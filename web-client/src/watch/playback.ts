// The <video> element as the player uses it: playing or frozen, how loud, and what the browser forbade. Owns no session.
//
// A live picture is paused by freezing it; playing again always shows the live edge, because the stream went on meanwhile.
import { signal } from '@preact/signals';
import { recall, remember } from '../ui/remember';

/** Volume steps of the keyboard. */
const VOLUME_STEP = 0.05;

export class Playback {
  readonly paused = signal(false);
  readonly muted = signal(recall('muted', false));
  /** 0..1. */
  readonly volume = signal(recall('volume', 1));
  /** The browser let the picture start only without sound: one tap brings it. */
  readonly silenced = signal(false);
  /** The browser did not let the picture start at all: one tap starts it. */
  readonly held = signal(false);
  readonly inPictureInPicture = signal(false);
  #video: HTMLVideoElement | null = null;

  attach(video: HTMLVideoElement, stream: MediaStream, until: AbortSignal): void {
    this.#video = video;
    video.volume = this.volume.value;
    video.muted = this.muted.value;
    video.srcObject = stream;
    const listen = (name: string, heard: () => void) => video.addEventListener(name, heard, { signal: until });
    // Media keys and the picture-in-picture window press the same buttons as we do.
    listen('pause', () => { this.paused.value = true; });
    listen('play', () => { this.paused.value = false; });
    listen('playing', () => { this.held.value = false; });
    listen('enterpictureinpicture', () => { this.inPictureInPicture.value = true; });
    listen('leavepictureinpicture', () => { this.inPictureInPicture.value = false; });
    until.addEventListener('abort', () => {
      video.srcObject = null;
      this.#video = null;
    }, { once: true });
    void this.play();
  }

  /** To the live edge, with sound if the browser allows it. */
  async play(): Promise<void> {
    const video = this.#video;
    if (!video) return;
    try {
      await video.play();
      this.held.value = false;
    } catch (thrown) {
      if (!(thrown instanceof DOMException) || thrown.name !== 'NotAllowedError') return;
      if (video.muted) {
        this.held.value = true;
        this.paused.value = true;
        return;
      }
      // Autoplay with sound needs a press first (browsers' autoplay rules): start silent and offer it.
      video.muted = true;
      this.silenced.value = true;
      await this.play();
    }
  }

  toggle(): void {
    if (this.paused.value) void this.play();
    else this.#video?.pause();
  }

  /** The tap that the browser asked for. */
  bringSound(): void {
    this.silenced.value = false;
    this.setMuted(false);
    void this.play();
  }

  setMuted(muted: boolean): void {
    this.silenced.value = false;
    this.muted.value = muted;
    remember('muted', muted);
    if (this.#video) this.#video.muted = muted;
    if (!muted && this.volume.value === 0) this.setVolume(0.5);
  }

  toggleMuted(): void {
    if (this.silenced.value) this.bringSound();
    else this.setMuted(!this.muted.value);
  }

  setVolume(volume: number): void {
    const clamped = Math.min(1, Math.max(0, Math.round(volume * 100) / 100));
    this.volume.value = clamped;
    remember('volume', clamped);
    if (this.#video) this.#video.volume = clamped;
    if (clamped > 0 && (this.muted.value || this.silenced.value)) this.setMuted(false);
  }

  louder(): void {
    this.setVolume(this.volume.value + VOLUME_STEP);
  }

  quieter(): void {
    this.setVolume(this.volume.value - VOLUME_STEP);
  }

  get canPictureInPicture(): boolean {
    return document.pictureInPictureEnabled === true;
  }

  togglePictureInPicture(): void {
    const video = this.#video;
    if (!video || !this.canPictureInPicture) return;
    const done = document.pictureInPictureElement ? document.exitPictureInPicture() : video.requestPictureInPicture();
    // Refused before the first frame; the button simply stays off.
    done.catch(() => undefined);
  }
}
