// Camera, microphone and screen of a call member: opened and closed while the call goes on, chosen before it. No looks.
//
// A camera that is off is free for others and its light is out. A microphone that is off stays open and sends silence, so that the first word
// after it is on is heard; it is closed with the call.
import { type ReadonlySignal, batch, computed, effect, signal } from '@preact/signals';
import { type Level, METER_FLOOR_DB, meterTrack } from '../lib/audio_meter';
import { CaptureError, type CaptureFailure, type Devices, canCapture, listDevices, openCamera, openScreen, openVoice } from '../lib/capture';
import type { Sent } from './call_media';

export type DeviceState = { kind: 'off' } | { kind: 'opening' } | { kind: 'on' } | { kind: 'failed'; failure: CaptureFailure };

/** What opens devices; replaced in tests. */
export type Capture = { openCamera: typeof openCamera; openVoice: typeof openVoice; openScreen: typeof openScreen; listDevices: typeof listDevices };

/** Lines of a face. On air there are more, for those who look at it in full. */
const FACE_LINES = 360;
const ON_AIR_LINES = 720;
const SILENCE: Level = { rmsDb: METER_FLOOR_DB, peakDb: METER_FLOOR_DB };

export class CallDevices {
  readonly camera = signal<DeviceState>({ kind: 'off' });
  readonly microphone = signal<DeviceState>({ kind: 'off' });
  readonly isSharing = signal(false);
  readonly devices = signal<Devices>({ cameras: [], microphones: [] });
  readonly cameraId = signal<string | null>(null);
  readonly microphoneId = signal<string | null>(null);
  /** What the person says: whether they want to be heard. */
  readonly isMicrophoneOn = signal(true);
  /** A key or a button is held: heard meanwhile, whatever the switch says. */
  readonly isTalkHeld = signal(false);
  readonly #lifetime: AbortSignal;
  readonly #capture: Capture;
  readonly #cameraTrack = signal<MediaStreamTrack | null>(null);
  readonly #voice = signal<MediaStreamTrack | null>(null);
  readonly #screen = signal<MediaStreamTrack | null>(null);
  readonly #isHeard = computed(() => this.#voice.value !== null && (this.isMicrophoneOn.value || this.isTalkHeld.value));
  readonly #sent = computed<Sent>(() => ({
    video: this.#screen.value ?? this.#cameraTrack.value,
    audio: this.#voice.value,
    kind: this.#screen.value ? 'screen' : 'camera',
  }));
  readonly #preview = computed(() => (this.#sent.value.video ? new MediaStream([this.#sent.value.video]) : null));
  #lines: typeof FACE_LINES | typeof ON_AIR_LINES = FACE_LINES;
  /** Another wish, or the end, makes the ones before it stale: what they open is let go at once. */
  #wishes = { camera: 0, voice: 0, screen: 0 };
  #mixer: AudioContext | null = null;
  #meter: { read: () => Level; scope: AbortController } | null = null;

  constructor(lifetime: AbortSignal, capture: Capture = { openCamera, openVoice, openScreen, listDevices }) {
    this.#lifetime = lifetime;
    this.#capture = capture;
    if (canCapture()) navigator.mediaDevices.addEventListener?.('devicechange', () => void this.#list(), { signal: lifetime });
    const stop = effect(() => {
      const track = this.#voice.value;
      if (track) track.enabled = this.#isHeard.value;
    });
    lifetime.addEventListener('abort', () => {
      stop();
      this.close();
      void this.#mixer?.close();
    }, { once: true });
  }

  /** What goes out. */
  get sent(): ReadonlySignal<Sent> {
    return this.#sent;
  }
  /** One's own picture, for an element. */
  get preview(): ReadonlySignal<MediaStream | null> {
    return this.#preview;
  }
  /** Whether what this person says goes out now. */
  get isHeard(): ReadonlySignal<boolean> {
    return this.#isHeard;
  }

  /** Asks for both that are off: one question after the other, as browsers show them. Whoever is gone by the second is not asked it. */
  async openBoth(until: AbortSignal): Promise<void> {
    if (this.microphone.peek().kind === 'off') await this.openMicrophone();
    if (!until.aborted && this.camera.peek().kind === 'off') await this.turnCamera(true);
  }

  async turnCamera(on: boolean): Promise<void> {
    const wish = ++this.#wishes.camera;
    if (this.#lifetime.aborted) return;
    if (!on) {
      this.#keepCamera(null);
      this.camera.value = { kind: 'off' };
      return;
    }
    if (this.camera.value.kind !== 'on') this.camera.value = { kind: 'opening' };
    try {
      const track = await this.#capture.openCamera(this.cameraId.value, this.#lines);
      if (wish !== this.#wishes.camera) {
        track.stop();
        return;
      }
      this.#keepCamera(track);
      track.addEventListener('ended', () => { if (this.#cameraTrack.peek() === track) void this.#lost('camera'); }, { once: true });
      this.camera.value = { kind: 'on' };
      await this.#list();
    } catch (thrown) {
      if (wish !== this.#wishes.camera) return;
      this.#keepCamera(null);
      this.camera.value = failed(thrown);
    }
  }

  async openMicrophone(): Promise<void> {
    const wish = ++this.#wishes.voice;
    if (this.#lifetime.aborted) return;
    if (!this.#voice.peek()) this.microphone.value = { kind: 'opening' };
    try {
      const track = await this.#capture.openVoice(this.microphoneId.value);
      if (wish !== this.#wishes.voice) {
        track.stop();
        return;
      }
      this.#keepVoice(track);
      track.addEventListener('ended', () => { if (this.#voice.peek() === track) void this.#lost('voice'); }, { once: true });
      this.microphone.value = { kind: 'on' };
      await this.#list();
    } catch (thrown) {
      if (wish !== this.#wishes.voice) return;
      this.#keepVoice(null);
      this.microphone.value = failed(thrown);
    }
  }

  /** Another one, in mid-sentence if need be. */
  async chooseCamera(id: string | null): Promise<void> {
    this.cameraId.value = id;
    if (this.camera.peek().kind !== 'off') await this.turnCamera(true);
  }

  async chooseMicrophone(id: string | null): Promise<void> {
    this.microphoneId.value = id;
    await this.openMicrophone();
  }

  /** Needs a click. In place of the camera's picture, until it ends; a picker that is closed changes nothing. */
  async shareScreen(on: boolean): Promise<void> {
    const wish = ++this.#wishes.screen;
    if (!on) {
      this.#keepScreen(null);
      return;
    }
    if (this.#lifetime.aborted) return;
    // Its sound would be the match's, for whoever shares the match.
    const { video } = await this.#capture.openScreen(false);
    if (wish !== this.#wishes.screen) {
      video.stop();
      return;
    }
    this.#keepScreen(video);
    video.addEventListener('ended', () => { if (this.#screen.peek() === video) this.#keepScreen(null); }, { once: true });
  }

  /** Whoever is on air is looked at in full. */
  async forAir(on: boolean): Promise<void> {
    const lines = on ? ON_AIR_LINES : FACE_LINES;
    if (lines === this.#lines) return;
    this.#lines = lines;
    if (this.camera.peek().kind === 'on') await this.turnCamera(true);
  }

  /** Level of the microphone; the floor where there is none. */
  level(): Level {
    if (!this.#meter) return SILENCE;
    // Browsers keep audio graphs asleep until the first click or key.
    if (this.#mixer?.state === 'suspended') void this.#mixer.resume();
    return this.#meter.read();
  }

  /** Lets every device go. */
  close(): void {
    this.#wishes = { camera: this.#wishes.camera + 1, voice: this.#wishes.voice + 1, screen: this.#wishes.screen + 1 };
    batch(() => {
      this.#keepCamera(null);
      this.#keepVoice(null);
      this.#keepScreen(null);
      this.isTalkHeld.value = false;
      this.camera.value = { kind: 'off' };
      this.microphone.value = { kind: 'off' };
    });
  }

  /** Pulled out, or taken by the system: the default one takes its place, if there is one. */
  async #lost(what: 'camera' | 'voice'): Promise<void> {
    if (what === 'camera') {
      this.cameraId.value = null;
      await this.turnCamera(true);
    } else {
      this.microphoneId.value = null;
      await this.openMicrophone();
    }
  }

  #keepCamera(track: MediaStreamTrack | null): void {
    const before = this.#cameraTrack.peek();
    this.#cameraTrack.value = track;
    if (before !== track) before?.stop();
  }

  #keepScreen(track: MediaStreamTrack | null): void {
    const before = this.#screen.peek();
    this.#screen.value = track;
    if (before !== track) before?.stop();
    this.isSharing.value = track !== null;
  }

  #keepVoice(track: MediaStreamTrack | null): void {
    const before = this.#voice.peek();
    this.#voice.value = track;
    if (before !== track) before?.stop();
    this.#meter?.scope.abort();
    this.#meter = null;
    if (!track || typeof AudioContext === 'undefined') return;
    this.#mixer ??= new AudioContext();
    const scope = new AbortController();
    this.#meter = { read: meterTrack(this.#mixer, track, scope.signal), scope };
  }

  async #list(): Promise<void> {
    const devices = await this.#capture.listDevices().catch(() => null);
    if (devices) this.devices.value = devices;
  }
}

function failed(thrown: unknown): DeviceState {
  return { kind: 'failed', failure: thrown instanceof CaptureError ? thrown.failure : 'unsupported' };
}
