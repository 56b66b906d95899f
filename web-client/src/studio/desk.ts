// The Studio's own state: what is captured, what is typed, whether we are on air. It outlives the page's places, so that looking at Home
// while live does not end the broadcast. No components here.
import { type ReadonlySignal, batch, computed, effect, signal } from '@preact/signals';
import { createBroadcast, getBroadcast, getMe, updateBroadcast } from '../lib/api';
import { type Level, METER_FLOOR_DB, meterTrack } from '../lib/audio_meter';
import {
  type CameraHeight, CaptureError, type CaptureFailure, type Devices, canCapture, listDevices, openCamera, openMicrophone, openScreen,
} from '../lib/capture';
import { theBearer } from '../lib/bearer';
import { theConnections } from '../lib/connections';
import { type RequestError, asRequestError } from '../lib/errors';
import { type Invitation, dropInvitation, takeInvitation } from '../lib/invitation';
import { type OwnBroadcast, storeBroadcast, storedBroadcast } from '../lib/own_broadcast';
import { PublisherSession, type PublisherSource } from '../lib/publisher';
import type { BroadcastView, Teams, Visibility } from '../protocol';
import { showToast } from '../ui/Toast';
import { words } from '../words';
import { keepPoster } from './poster';

export type SourceKind = 'camera' | 'screen' | 'encoder';

export type Stage =
  | { kind: 'setup' }
  /** A reload while a screen was on air: only a click may open the picker again. */
  | { kind: 'resume'; own: OwnBroadcast }
  | { kind: 'on_air'; own: OwnBroadcast; session: PublisherSession }
  | { kind: 'finished'; broadcast: BroadcastView | null };

/** What the server says about us, asked for until it answers. */
export type Welcome =
  | { kind: 'asking' }
  | { kind: 'unreachable' }
  | { kind: 'allowed' }
  | { kind: 'not_allowed' }
  /** The link that led here was an invitation once. */
  | { kind: 'invitation_over' };

export type Capture = { kind: 'closed' } | { kind: 'opening' } | { kind: 'open' } | { kind: 'failed'; failure: CaptureFailure };

export type Form = { title: string; visibility: Visibility; withTeams: boolean; teams: Teams };

/** Between two questions to a server that did not answer, ms. */
const ASK_AGAIN_MS = 3_000;

const NO_TEAMS: Teams = { home: { name: '', short: '', color: '#d5362c' }, away: { name: '', short: '', color: '#2f6fd0' } };

export class Desk {
  readonly stage = signal<Stage>({ kind: 'setup' });
  readonly sourceKind = signal<SourceKind>('camera');
  readonly camera = signal<Capture>({ kind: 'closed' });
  readonly microphone = signal<Capture>({ kind: 'closed' });
  readonly devices = signal<Devices>({ cameras: [], microphones: [] });
  readonly cameraId = signal<string | null>(null);
  readonly microphoneId = signal<string | null>(null);
  readonly height = signal<CameraHeight>(720);
  readonly form = signal<Form>({ title: '', visibility: 'public', withTeams: false, teams: NO_TEAMS });
  readonly welcome = signal<Welcome>({ kind: 'asking' });
  readonly microphoneOn = signal(true);
  readonly pictureOn = signal(true);
  readonly goingLive = signal(false);
  readonly problem = signal<RequestError | null>(null);
  readonly #video = signal<MediaStreamTrack | null>(null);
  readonly #audio = signal<MediaStreamTrack | null>(null);
  readonly #screenAudio = signal<MediaStreamTrack | null>(null);
  /** Microphone and screen sound in one track. */
  readonly #sound = signal<MediaStreamTrack | null>(null);
  readonly #preview = computed(() => (this.#video.value ? new MediaStream([this.#video.value]) : null));
  /** Ends the broadcast's session; the desk itself lives as long as the page. */
  #session: AbortController | null = null;
  #mixer: AudioContext | null = null;
  #mix: { track: MediaStreamTrack; nodes: AudioNode[] } | null = null;
  #meter: { read: () => Level; scope: AbortController } | null = null;
  #opening = 0;
  #attended = false;
  #invitation: Invitation | null = null;

  constructor() {
    if (canCapture()) navigator.mediaDevices.addEventListener?.('devicechange', () => void this.#listDevices());
    addEventListener('beforeunload', (event) => {
      if (this.stage.value.kind === 'on_air' && this.stage.value.own.source !== 'encoder') event.preventDefault();
    });
    // Another person may be allowed what this one is not.
    let asked = theBearer().who.peek().kind;
    effect(() => {
      const { kind } = theBearer().who.value;
      if (kind === asked) return;
      asked = kind;
      if (this.#attended) void this.#askServer();
    });
    effect(() => {
      const track = this.#audio.value;
      if (track) track.enabled = this.microphoneOn.value;
    });
    effect(() => {
      const track = this.#video.value;
      if (track) track.enabled = this.pictureOn.value;
    });
    effect(() => {
      this.#sound.value = this.#mixed(this.#audio.value, this.#screenAudio.value);
    });
    // What is captured while on air is what is sent.
    effect(() => {
      const source = this.#source.value;
      const stage = this.stage.peek();
      if (stage.kind === 'on_air' && stage.own.source !== 'encoder') void stage.session.replace(source);
    });
  }

  get video(): ReadonlySignal<MediaStreamTrack | null> {
    return this.#video;
  }
  /** For the preview element. */
  get preview(): ReadonlySignal<MediaStream | null> {
    return this.#preview;
  }
  get hasSound(): boolean {
    return this.#audio.value !== null;
  }

  readonly #source = computed<PublisherSource>(() => ({
    video: this.#video.value,
    audio: this.#sound.value,
    kind: this.sourceKind.value === 'screen' ? 'screen' : 'camera',
  }));

  /** Someone looks at the Studio. */
  attend(): void {
    if (this.#attended) return;
    this.#attended = true;
    this.#invitation = takeInvitation();
    void this.#askServer();
    if (this.stage.value.kind === 'finished') this.again();
    else if (this.stage.value.kind === 'setup') void this.#takeBackOrPrepare();
  }

  /** Nobody looks any more: what is not on air is let go, so that no camera light stays on. */
  leave(): void {
    this.#attended = false;
    if (this.stage.value.kind !== 'on_air') this.#release();
  }

  async chooseSource(kind: SourceKind): Promise<void> {
    switch (kind) {
      case 'camera':
        // A screen that is shared goes on until the camera is there.
        await this.#openCamera();
        if (this.sourceKind.value === 'camera' && !this.#audio.value) await this.#openMicrophone();
        break;
      case 'screen':
        await this.shareScreen();
        break;
      case 'encoder':
        batch(() => {
          this.#release();
          this.sourceKind.value = 'encoder';
        });
        break;
    }
  }

  /** Needs a click: browsers open the picker for nothing less. */
  async shareScreen(): Promise<void> {
    try {
      const screen = await openScreen();
      this.#opening += 1;
      const before = [this.#video.value, this.#screenAudio.value];
      batch(() => {
        this.sourceKind.value = 'screen';
        this.camera.value = { kind: 'open' };
        this.#screenAudio.value = screen.audio;
        this.#video.value = screen.video;
      });
      for (const track of before) track?.stop();
      screen.video.addEventListener('ended', () => this.#screenEnded(screen.video), { once: true });
      if (!this.#audio.value) await this.#openMicrophone();
    } catch (thrown) {
      // A picker that was closed changes nothing while there is another picture.
      if (!this.#video.value) this.camera.value = failed(thrown);
    }
  }

  async chooseCamera(id: string | null): Promise<void> {
    this.cameraId.value = id;
    await this.#openCamera();
  }

  async chooseHeight(height: CameraHeight): Promise<void> {
    this.height.value = height;
    if (this.sourceKind.value === 'camera') await this.#openCamera();
  }

  async chooseMicrophone(id: string | null): Promise<void> {
    this.microphoneId.value = id;
    await this.#openMicrophone();
  }

  async retryCapture(): Promise<void> {
    await this.#openBoth();
  }

  /** Level of the microphone as sent; the floor when there is none. */
  level(): Level {
    if (!this.#meter || !this.microphoneOn.value) return { rmsDb: METER_FLOOR_DB, peakDb: METER_FLOOR_DB };
    // Browsers keep audio graphs asleep until the first click or key.
    if (this.#mixer?.state === 'suspended') void this.#mixer.resume();
    return this.#meter.read();
  }

  async goLive(): Promise<void> {
    if (this.goingLive.value) return;
    this.goingLive.value = true;
    this.problem.value = null;
    try {
      const own = await this.#create();
      storeBroadcast(own);
      this.#start(own);
    } catch (thrown) {
      this.problem.value = asRequestError(thrown);
    } finally {
      this.goingLive.value = false;
    }
  }

  /** After the end: a fresh start. */
  again(): void {
    batch(() => {
      this.stage.value = { kind: 'setup' };
      this.problem.value = null;
    });
    if (this.sourceKind.value !== 'encoder') void this.#openBoth();
  }

  /** Leaves a broadcast that cannot go on (refused, taken) without ending it for others. */
  backToSetup(): void {
    storeBroadcast(null);
    this.#session?.abort();
    this.again();
  }

  async #takeBackOrPrepare(): Promise<void> {
    const own = storedBroadcast();
    if (own) {
      const known = await getBroadcast(own.id, { token: own.token }).then((view) => view.state, (thrown: unknown) => asRequestError(thrown).code);
      if (known === 'not_found' || known === 'ended') storeBroadcast(null);
      else if (await this.#takeBack(own)) return;
    }
    await this.#openBoth();
  }

  /** Whether the desk is back where it was before the reload. */
  async #takeBack(own: OwnBroadcast): Promise<boolean> {
    this.sourceKind.value = own.source;
    switch (own.source) {
      case 'encoder':
        this.#start(own);
        return true;
      case 'screen':
        this.stage.value = { kind: 'resume', own };
        return true;
      case 'camera':
        await this.#openBoth();
        if (!this.#video.value) return false;
        this.#start(own);
        return true;
    }
  }

  /** From the `resume` stage, by a click. */
  async carryOn(): Promise<void> {
    const stage = this.stage.value;
    if (stage.kind !== 'resume') return;
    await this.shareScreen();
    if (this.#video.value) this.#start(stage.own);
  }

  async #create(): Promise<OwnBroadcast> {
    const { title, visibility, withTeams, teams } = this.form.value;
    const about = { ...(title.trim() ? { title: title.trim() } : {}), visibility };
    const token = this.#invitation?.token ?? (await theBearer().token());
    const source = this.sourceKind.value;
    const only = this.#invitation?.broadcast ?? null;
    const there = only && token ? await this.#invitedTo(only, token) : null;
    let own: OwnBroadcast;
    if (there && token) {
      await updateBroadcast(there.id, about, { token });
      const at = (place: string) => new URL(`/${place}/${there.slug}`, location.href).href;
      own = { id: there.id, slug: there.slug, token, whipUrl: at('whip'), watchUrl: at('watch'), source };
    } else {
      const made = await createBroadcast({ ...about, ...(only ? { slug: only } : {}) }, { token });
      own = { id: made.broadcast.id, slug: made.broadcast.slug, token: made.token, whipUrl: made.whip_url, watchUrl: made.watch_url, source };
    }
    if (withTeams) await updateBroadcast(own.id, { teams: tidy(teams), score: { home: 0, away: 0 } }, { token: own.token });
    return own;
  }

  /** The broadcast that an invitation is for, where there already is one that has not ended. */
  async #invitedTo(name: string, token: string): Promise<BroadcastView | null> {
    try {
      const broadcast = await getBroadcast(name, { token });
      return broadcast.state === 'ended' ? null : broadcast;
    } catch (thrown) {
      const error = asRequestError(thrown);
      if (error.code === 'not_found' || error.code === 'ended') return null;
      throw error;
    }
  }

  #start(own: OwnBroadcast): void {
    this.#session?.abort();
    const controller = new AbortController();
    this.#session = controller;
    const session = new PublisherSession({
      broadcast: own.id, token: own.token, connection: theConnections().toJoin(), lifetime: controller.signal,
      source: own.source === 'encoder' ? null : this.#source.value,
    });
    this.stage.value = { kind: 'on_air', own, session };
    if (own.source !== 'encoder') keepPoster(own, () => this.#video.value, session.phase, controller.signal);
    const unsubscribe = session.phase.subscribe((phase) => {
      if (phase.kind === 'ended') queueMicrotask(() => this.#finish(session));
    });
    controller.signal.addEventListener('abort', unsubscribe, { once: true });
  }

  #finish(session: PublisherSession): void {
    if (this.stage.value.kind !== 'on_air' || this.stage.value.session !== session) return;
    storeBroadcast(null);
    this.stage.value = { kind: 'finished', broadcast: session.broadcast.value };
    this.#session?.abort();
    this.#release();
  }

  async #askServer(): Promise<void> {
    let over = false;
    while (this.#attended) {
      const invitation = this.#invitation;
      let token: string | null = null;
      try {
        token = invitation?.token ?? (await theBearer().token());
        const me = await getMe({ token });
        if (me.token && !invitation) theBearer().guest(me.token);
        this.welcome.value = { kind: me.may_broadcast ? 'allowed' : over ? 'invitation_over' : 'not_allowed' };
        if (invitation?.broadcast) await this.#readAbout(invitation.broadcast, invitation.token);
        return;
      } catch (thrown) {
        const { code } = asRequestError(thrown);
        if ((code === 'invalid_token' || code === 'token_expired') && token !== null) {
          // Without it we are somebody else, who may be allowed just as well.
          over ||= invitation !== null;
          if (invitation) dropInvitation();
          const guest = theBearer().who.value.kind === 'guest';
          if (invitation || (theBearer().refused(token) && guest)) {
            this.#invitation = null;
            continue;
          }
        }
        this.welcome.value = { kind: 'unreachable' };
        await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
      }
    }
  }

  /** Fills the form with what is known of the broadcast that an invitation is for. */
  async #readAbout(name: string, token: string): Promise<void> {
    const broadcast = await this.#invitedTo(name, token).catch(() => null);
    if (!broadcast || this.form.value.title !== '') return;
    this.form.value = { ...this.form.value, title: broadcast.title, visibility: broadcast.visibility };
  }

  async #openBoth(): Promise<void> {
    // One after the other: browsers that ask would show two questions on top of each other.
    if (this.sourceKind.value === 'camera') await this.#openCamera();
    if (this.sourceKind.value !== 'encoder' && !this.#audio.value) await this.#openMicrophone();
  }

  /** In place of what is shown now, once it is there; what is shown goes on until then, and stays if it does not open. */
  async #openCamera(): Promise<void> {
    const turn = ++this.#opening;
    const shown = this.#video.value?.readyState === 'live';
    if (!shown) {
      batch(() => {
        this.sourceKind.value = 'camera';
        this.camera.value = { kind: 'opening' };
      });
    }
    try {
      const track = await openCamera(this.cameraId.value, this.height.value);
      if (turn !== this.#opening || !this.#wanted) return track.stop();
      const before = [this.#video.value, this.#screenAudio.value];
      batch(() => {
        this.sourceKind.value = 'camera';
        this.#video.value = track;
        this.#screenAudio.value = null;
        this.camera.value = { kind: 'open' };
        this.cameraId.value = track.getSettings().deviceId ?? this.cameraId.value;
      });
      for (const old of before) old?.stop();
      track.addEventListener('ended', () => this.#cameraEnded(track), { once: true });
      await this.#listDevices();
    } catch (thrown) {
      if (turn !== this.#opening) return;
      const failure = failed(thrown);
      if (!shown) this.camera.value = failure;
      else if (failure.kind === 'failed') showToast({ kind: 'trouble', title: words.studio.captureTitle[failure.failure], line: words.studio.captureLine[failure.failure] });
    }
  }

  async #openMicrophone(): Promise<void> {
    const before = this.#audio.value;
    if (!before) this.microphone.value = { kind: 'opening' };
    try {
      const track = await openMicrophone(this.microphoneId.value);
      if (this.sourceKind.value === 'encoder' || !this.#wanted) return track.stop();
      batch(() => {
        this.#audio.value = track;
        this.microphone.value = { kind: 'open' };
        this.microphoneId.value = track.getSettings().deviceId ?? this.microphoneId.value;
      });
      before?.stop();
      track.addEventListener('ended', () => this.#microphoneEnded(track), { once: true });
      this.#listenTo(track);
      await this.#listDevices();
    } catch (thrown) {
      if (!before || before.readyState === 'ended') this.microphone.value = failed(thrown);
    }
  }

  /** Someone is here or it is on air; a permission given after the page was left opens nothing. */
  get #wanted(): boolean {
    return this.#attended || this.stage.value.kind === 'on_air';
  }

  #listenTo(track: MediaStreamTrack): void {
    this.#mixer ??= new AudioContext();
    this.#meter?.scope.abort();
    const scope = new AbortController();
    this.#meter = { read: meterTrack(this.#mixer, track, scope.signal), scope };
  }

  /** One track of microphone and screen sound; the microphone's own track where there is nothing to mix. */
  #mixed(microphone: MediaStreamTrack | null, screen: MediaStreamTrack | null): MediaStreamTrack | null {
    this.#mix?.nodes.forEach((node) => node.disconnect());
    this.#mix = null;
    if (!screen || !microphone) return microphone ?? screen;
    const mixer = (this.#mixer ??= new AudioContext());
    const destination = mixer.createMediaStreamDestination();
    const nodes = [microphone, screen].map((track) => mixer.createMediaStreamSource(new MediaStream([track])));
    nodes.forEach((node) => node.connect(destination));
    const [track] = destination.stream.getAudioTracks();
    if (!track) return microphone;
    this.#mix = { track, nodes };
    return track;
  }

  #cameraEnded(track: MediaStreamTrack): void {
    if (this.#video.value === track) this.camera.value = { kind: 'failed', failure: 'missing' };
  }

  #microphoneEnded(track: MediaStreamTrack): void {
    if (this.#audio.value === track) this.microphone.value = { kind: 'failed', failure: 'missing' };
  }

  #screenEnded(track: MediaStreamTrack): void {
    if (this.#video.value === track) this.camera.value = { kind: 'failed', failure: 'cancelled' };
  }

  #release(): void {
    this.#opening += 1;
    for (const track of [this.#video.value, this.#audio.value, this.#screenAudio.value]) track?.stop();
    this.#meter?.scope.abort();
    this.#meter = null;
    batch(() => {
      this.#video.value = null;
      this.#audio.value = null;
      this.#screenAudio.value = null;
      this.camera.value = { kind: 'closed' };
      this.microphone.value = { kind: 'closed' };
      if (this.sourceKind.value === 'screen') this.sourceKind.value = 'camera';
    });
  }

  async #listDevices(): Promise<void> {
    this.devices.value = await listDevices();
  }
}

function failed(thrown: unknown): Capture {
  return { kind: 'failed', failure: thrown instanceof CaptureError ? thrown.failure : 'unsupported' };
}

/** Names cut to what the protocol allows, a short name made where there is none. */
export function tidy(teams: Teams): Teams {
  const side = (team: Teams['home'], fallback: string): Teams['home'] => {
    const name = team.name.trim().slice(0, 40) || fallback;
    return { name, short: (team.short.trim() || name.replace(/[^\p{L}\p{N}]/gu, '').slice(0, 3).toUpperCase()).slice(0, 4), color: team.color };
  };
  return { home: side(teams.home, 'Home'), away: side(teams.away, 'Away') };
}

let desk: Desk | null = null;

/** The one desk of this page. */
export function theDesk(): Desk {
  desk ??= new Desk();
  return desk;
}
