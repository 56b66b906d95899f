// The two <video> elements as the player uses them, as if they were one: playing or frozen, how loud, which is in front, and what the browser
// forbade. Owns no session.
//
// A live picture is paused by freezing it; playing again shows the live edge where the picture comes by WebRTC, because that stream went on
// meanwhile, and the place where it stopped where it comes by HLS. Where a broadcast is recorded, `WatchSession.resume` finds the place again.
import { type ReadonlySignal, signal } from '@preact/signals';
import type { Elements, Screen } from '../playback/session';
import type { EngineName } from '../playback/transport';
import { recall, remember } from '../ui/remember';

/** Volume steps of the keyboard. */
const VOLUME_STEP = 0.05;
/** From one engine's sound to the other's, ms: short enough to be no overlap, long enough to be no click. */
const FADE_MS = 120;
const FADE_STEP_MS = 20;
const ENGINES: readonly EngineName[] = ['webrtc', 'hls'];

/** Plays the elements' sound where a browser leaves their volume to its own buttons. The elements are silent meanwhile. */
export type SoundGraph = { set(engine: EngineName, gain: number): void };

export class Playback implements Screen {
  readonly paused = signal(false);
  readonly muted = signal(recall('muted', false));
  /** 0..1. */
  readonly volume = signal(recall('volume', 1));
  /** The browser let the picture start only without sound: one tap brings it. */
  readonly silenced = signal(false);
  /** The browser did not let the picture start at all: one tap starts it. */
  readonly held = signal(false);
  readonly inPictureInPicture = signal(false);
  readonly #lowered = signal(1);
  #elements: Elements | null = null;
  #front: EngineName = 'webrtc';
  /** The element in front was found stopped, and nobody had said that a person stopped it. */
  #foundStopped = false;
  /** Of the volume that is wanted, 0..1: what the fade has left of each. */
  #shares: Record<EngineName, number> = { webrtc: 1, hls: 0 };
  #fade: ReturnType<typeof setInterval> | undefined;
  #graph: SoundGraph | null = null;

  attach(elements: Elements, until: AbortSignal): void {
    this.#elements = elements;
    this.#arrange();
    this.#sound();
    for (const engine of ENGINES) {
      const video = elements[engine];
      const listen = (name: string, heard: () => void) => video.addEventListener(name, () => { if (engine === this.#front) heard(); }, { signal: until });
      // Media keys and the picture-in-picture window press the same buttons as we do.
      listen('pause', () => { this.paused.value = video.paused; });
      listen('play', () => { this.paused.value = video.paused; });
      listen('playing', () => { this.held.value = false; });
      listen('enterpictureinpicture', () => { this.inPictureInPicture.value = true; });
      listen('leavepictureinpicture', () => { this.inPictureInPicture.value = false; });
    }
    until.addEventListener('abort', () => {
      clearInterval(this.#fade);
      this.#elements = null;
    }, { once: true });
    void this.play();
  }

  /** The element in front. */
  get video(): HTMLVideoElement | null {
    return this.#elements?.[this.#front] ?? null;
  }

  bring(engine: EngineName, aligned: boolean): void {
    const elements = this.#elements;
    if (!elements || engine === this.#front) return;
    const before = this.video;
    this.#front = engine;
    this.#foundStopped = false;
    this.#arrange();
    void this.play();
    // The one in front may have run before it was there, or been stopped while the other one was.
    this.paused.value = elements[engine].paused;
    this.#crossFade(aligned);
    if (before && document.pictureInPictureElement === before) {
      // A window that is open may be given another picture; where a browser refuses, it shows the last frame until it is closed.
      elements[engine].requestPictureInPicture().catch(() => { this.inPictureInPicture.value = false; });
    }
  }

  keepRunning(engine: EngineName): void {
    const video = this.#elements?.[engine];
    if (!video) return;
    if (engine !== this.#front) {
      if (!video.paused) return;
      this.#sound();
      // Without sound every browser allows it; one that does not shows nothing, and then this engine is not shown.
      video.play().catch(() => undefined);
      return;
    }
    const isStopped = video.paused && !this.paused.value;
    // The element stops first and says later that it was a person who stopped it: by the next look it has.
    if (isStopped && this.#foundStopped) void this.play();
    this.#foundStopped = isStopped;
  }

  /** The picture goes on, and something else will play it: see `WatchSession.resume`. */
  goesOn(): void {
    this.paused.value = false;
  }

  /** To the live edge, with sound if the browser allows it. */
  async play(): Promise<void> {
    const { video } = this;
    if (!video) return;
    try {
      await video.play();
      this.held.value = false;
    } catch (thrown) {
      if (!(thrown instanceof DOMException) || thrown.name !== 'NotAllowedError' || video !== this.video) return;
      if (video.muted) {
        this.held.value = true;
        this.paused.value = true;
        return;
      }
      // Autoplay with sound needs a press first (browsers' autoplay rules): start silent and offer it.
      this.silenced.value = true;
      this.#sound();
      await this.play();
    }
  }

  toggle(): void {
    if (this.paused.value) void this.play();
    else this.video?.pause();
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
    this.#sound();
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
    this.#sound();
    if (clamped > 0 && (this.muted.value || this.silenced.value)) this.setMuted(false);
  }

  louder(): void {
    this.setVolume(this.volume.value + VOLUME_STEP);
  }

  quieter(): void {
    this.setVolume(this.volume.value - VOLUME_STEP);
  }

  /** The match steps back behind voices, to `share` of the volume that the person has chosen, which stays theirs. */
  lower(share: number): void {
    // A graph is told again: another transport has another track.
    if (share === this.#lowered.peek() && !this.#graph) return;
    this.#lowered.value = share;
    this.#sound();
  }

  /** From now on `make` is what is heard of the elements; `null`: they themselves. */
  playThrough(make: ((elements: Elements) => SoundGraph) | null): void {
    this.#graph = make && this.#elements ? make(this.#elements) : null;
    this.#sound();
  }

  /** What is left of the volume while a friend speaks, 0..1. */
  get lowered(): ReadonlySignal<number> {
    return this.#lowered;
  }

  get canPictureInPicture(): boolean {
    return document.pictureInPictureEnabled === true;
  }

  togglePictureInPicture(): void {
    const { video } = this;
    if (!video || !this.canPictureInPicture) return;
    const done = document.pictureInPictureElement ? document.exitPictureInPicture() : video.requestPictureInPicture();
    // Refused before the first frame; the button simply stays off.
    done.catch(() => undefined);
  }

  #arrange(): void {
    if (!this.#elements) return;
    for (const engine of ENGINES) {
      const video = this.#elements[engine];
      const isFront = engine === this.#front;
      video.toggleAttribute('data-front', isFront);
      video.setAttribute('aria-hidden', String(!isFront));
    }
  }

  #sound(): void {
    if (!this.#elements) return;
    for (const engine of ENGINES) {
      const video = this.#elements[engine];
      // What is not heard is muted as well: some browsers leave the volume to their buttons.
      const isSilent = this.muted.value || this.silenced.value || this.#shares[engine] === 0;
      const volume = this.volume.value * this.#shares[engine] * this.#lowered.value;
      this.#graph?.set(engine, isSilent ? 0 : volume);
      // A stream is heard through the graph and not through its element; a file's element feeds the graph, and must not be muted for it.
      video.muted = this.#graph ? engine === 'webrtc' || isSilent : isSilent;
      video.volume = this.#graph ? 1 : volume;
    }
  }

  /** Sounds of one moment overlap; of two, the one goes before the other comes. */
  #crossFade(aligned: boolean): void {
    clearInterval(this.#fade);
    const into = this.#front;
    const from: EngineName = into === 'hls' ? 'webrtc' : 'hls';
    const began = performance.now();
    const step = (): void => {
      // Timers of hidden tabs come once a second: nobody hears a difference there.
      const done = document.hidden ? 1 : Math.min(1, (performance.now() - began) / FADE_MS);
      this.#shares[into] = aligned ? Math.sin((done * Math.PI) / 2) : Math.max(0, 2 * done - 1);
      this.#shares[from] = done === 1 ? 0 : aligned ? Math.cos((done * Math.PI) / 2) : Math.max(0, 1 - 2 * done);
      this.#sound();
      if (done === 1) clearInterval(this.#fade);
    };
    this.#fade = setInterval(step, FADE_STEP_MS);
    step();
  }
}
