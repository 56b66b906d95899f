// Publishing one broadcast: joins it with its token, keeps one sending peer alive, reads its health. Captures nothing itself and has no DOM.
import { type ReadonlySignal, batch, signal } from '@preact/signals';
import { getBroadcast } from './api';
import { backoffMs } from './backoff';
import type { Connection, Share } from './connection';
import { type PictureKind, codecOrder, encodingsFor, fillEncodings } from './encodings';
import { type RequestError, asRequestError } from './errors';
import { LinkWatch } from './link_watch';
import { MediaPeer } from './peer';
import type { BroadcastChanges, BroadcastView, LayerView, MarkerKind, OnAirAsk, RaisedHand } from '../protocol';
import type { PublisherHealth, PublisherPhase } from './publisher_state';
import { type OutboundSnapshot, publisherHealth, readOutbound } from './publisher_stats';
import type { SignalingEvent } from './signaling';
import { entriesOf, numberOf, selectedPair } from './stats';
import { every } from './worker_timer';

const TICK_MS = 1_000;
/** Readings kept for the lines in the health panel: one minute. */
export const HEALTH_HISTORY = 60;
/** Stereo, transparent for speech and a crowd, bits per second. */
const AUDIO_BPS = 128_000;
/** Of a picture whose size is not known yet, pixels. */
const ASSUMED_HEIGHT = 720;

export type PublisherSource = { video: MediaStreamTrack | null; audio: MediaStreamTrack | null; kind: PictureKind };

export type PublisherOptions = {
  /** Id of the broadcast. */
  broadcast: string;
  /** Grants `publish` on it. */
  token: string;
  /** The page's. */
  connection: Connection;
  /** `null`: an encoder publishes over WHIP, and this session only directs (score, moments, the end). */
  source: PublisherSource | null;
  lifetime: AbortSignal;
};

export class PublisherSession {
  readonly #options: PublisherOptions;
  readonly #client: Share;
  readonly #watch = new LinkWatch(performance.now());
  readonly #phase = signal<PublisherPhase>({ kind: 'connecting' });
  readonly #broadcast = signal<BroadcastView | null>(null);
  readonly #arriving = signal<readonly LayerView[]>([]);
  readonly #health = signal<readonly PublisherHealth[]>([]);
  readonly #topLayer = signal<'on' | 'off'>('on');
  readonly #hands = signal<readonly RaisedHand[]>([]);

  #source: PublisherSource | null;
  #peer: MediaPeer | null = null;
  #tuned = Promise.resolve();
  readonly #unwatched = signal<ReadonlySet<string>>(new Set());
  /** RIDs that the present picture has no use for. */
  #unused: ReadonlySet<string> = new Set();
  #wasLive = false;
  #joining = false;
  #joinAttempt = 0;
  #joinTimer: ReturnType<typeof setTimeout> | undefined;
  #snapshot: OutboundSnapshot | null = null;
  #reading = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#source = options.source;
    const { lifetime } = options;
    // What is on air goes on, whoever signs in or out meanwhile: the broadcast's own token publishes.
    this.#client = options.connection.share(lifetime, { stays: true });
    this.#client.listen((event) => batch(() => this.#heard(event)), lifetime);
    const unsubscribe = this.#client.state.subscribe((state) => {
      if (state.kind === 'stopped' && state.error) this.#refused(state.error);
    });
    lifetime.addEventListener('abort', () => {
      unsubscribe();
      clearTimeout(this.#joinTimer);
      this.#peer?.close();
    }, { once: true });
    every(TICK_MS, () => void this.#onTick(), lifetime);
    if (this.#client.isOpen) void this.#join();
  }

  /** Which it is on, for whoever looks at the same broadcast beside it. */
  get connection(): Connection {
    return this.#options.connection;
  }

  get phase(): ReadonlySignal<PublisherPhase> {
    return this.#phase;
  }
  get broadcast(): ReadonlySignal<BroadcastView | null> {
    return this.#broadcast;
  }
  /** The layers as they reach the server, smallest first. */
  get arriving(): ReadonlySignal<readonly LayerView[]> {
    return this.#arriving;
  }
  /** The last minute, oldest first. */
  get health(): ReadonlySignal<readonly PublisherHealth[]> {
    return this.#health;
  }
  /** Whether the largest layer is sent. */
  get topLayer(): ReadonlySignal<'on' | 'off'> {
    return this.#topLayer;
  }

  /** RIDs of the layers that nobody can use now, and that are therefore not sent. */
  get unwatched(): ReadonlySignal<ReadonlySet<string>> {
    return this.#unwatched;
  }

  /** Who wants to come on air, as the server last said. */
  get hands(): ReadonlySignal<readonly RaisedHand[]> {
    return this.#hands;
  }

  /** About guests on air. Rejects with a `RequestError`. */
  async onAir(ask: OnAirAsk): Promise<void> {
    await this.#client.request('on_air', { ask });
  }

  /** The server's clock, ms since the Unix epoch. */
  serverNow(localMs: number = performance.now()): number | null {
    return this.#client.clock.serverNow(localMs);
  }

  retry(): void {
    this.#client.retryNow();
    if (!this.#client.isOpen) return;
    if (this.#phase.value.kind === 'taken' || !this.#peer) void this.#join();
    else {
      this.#watch.tryAfresh();
      this.#judge();
      void this.#newPeer();
    }
  }

  /** Another device or screen, without a new negotiation. */
  async replace(source: PublisherSource): Promise<void> {
    this.#source = source;
    await Promise.all([this.#sender('video')?.replaceTrack(source.video), this.#sender('audio')?.replaceTrack(source.audio)]);
    await this.#tune();
  }

  /** Stops or resumes the largest layer, for an uplink that cannot carry it. */
  async setTopLayer(state: 'on' | 'off'): Promise<void> {
    this.#topLayer.value = state;
    await this.#tune();
  }

  /** Rejects with a `RequestError`. */
  async update(changes: BroadcastChanges): Promise<void> {
    await this.#client.request('update_broadcast', { changes });
  }

  /** Marks the live edge. Rejects with a `RequestError`. */
  async mark(kind: MarkerKind, label: string): Promise<void> {
    await this.#client.request('mark', { kind, label });
  }

  async unmark(marker: string): Promise<void> {
    await this.#client.request('unmark', { marker });
  }

  /** Ends the broadcast for good. Rejects with a `RequestError`. */
  async end(): Promise<void> {
    await this.#client.request('end_broadcast', {});
    this.#ended();
  }

  #heard(event: SignalingEvent): void {
    switch (event.type) {
      case 'welcome':
        if (event.resumed && this.#broadcast.value) void this.#refresh(this.#broadcast.value.id);
        else void this.#join();
        break;
      case 'broadcast':
        this.#setBroadcast(event.broadcast);
        break;
      case 'viewers':
        if (this.#broadcast.value) this.#broadcast.value = { ...this.#broadcast.value, viewers: event.count, viewers_peak: event.peak };
        break;
      case 'layers':
        this.#arriving.value = event.layers;
        break;
      case 'unwatched':
        if (event.peer !== this.#peer?.id) break;
        this.#unwatched.value = new Set(event.rids);
        void this.#tune();
        break;
      case 'peer_state':
        if (event.peer !== this.#peer?.id) break;
        if (event.state.state === 'gone') this.#watch.peerGone();
        this.#judge();
        break;
      case 'publisher_refused':
        if (event.peer === this.#peer?.id) this.#finish({ kind: 'refused', code: event.code, message: event.message });
        break;
      case 'hands':
        this.#hands.value = event.hands;
        break;
      case 'slots':
      case 'playing':
      case 'track_clock':
      case 'layer':
      case 'cannot_decode':
      case 'transport':
      case 'stats':
      case 'chat':
      case 'chat_resync':
      case 'presence':
      case 'friend_changed':
      case 'private_message':
      case 'messages_read':
      case 'call':
      case 'call_over':
      case 'call_ring':
      case 'call_ring_over':
      case 'call_speaking':
      case 'call_said':
      case 'call_reacted':
      case 'call_played':
      case 'call_paced':
      case 'on_air_invited':
      case 'on_air_over':
        break;
      default:
        // What a newer server says besides; the compiler asks for a case of all that ours says.
        event satisfies never;
    }
  }

  #setBroadcast(broadcast: BroadcastView): void {
    this.#broadcast.value = broadcast;
    if (broadcast.state === 'ended') this.#ended();
    else this.#judge();
  }

  #judge(): void {
    const { kind } = this.#phase.value;
    if (kind === 'ended' || kind === 'refused' || kind === 'taken') return;
    const sending = this.#source === null || this.#peer?.connected === true;
    const up = sending && this.#broadcast.value?.state === 'live';
    if (up) {
      this.#wasLive = true;
      this.#move({ kind: 'live' });
    } else if (this.#watch.blocked) {
      this.#move({ kind: 'blocked' });
    } else if (this.#wasLive) {
      this.#move(kind === 'reconnecting' ? this.#phase.value : { kind: 'reconnecting', sinceMs: performance.now() });
    } else {
      this.#move({ kind: 'connecting' });
    }
  }

  #move(phase: PublisherPhase): void {
    if (phase.kind !== this.#phase.value.kind) this.#phase.value = phase;
  }

  #ended(): void {
    this.#finish({ kind: 'ended' });
  }

  #finish(phase: PublisherPhase): void {
    this.#phase.value = phase;
    clearTimeout(this.#joinTimer);
    this.#peer?.close();
    this.#peer = null;
  }

  #refused(error: RequestError): void {
    this.#finish({ kind: 'refused', code: error.code, message: error.message });
  }

  async #refresh(id: string): Promise<void> {
    const { lifetime: signal, token } = this.#options;
    await getBroadcast(id, { signal, token }).then(
      (broadcast) => batch(() => this.#setBroadcast(broadcast)),
      // The next event brings it; sending does not depend on it.
      () => undefined,
    );
  }

  async #join(): Promise<void> {
    if (this.#joining || this.#options.lifetime.aborted) return;
    if (this.#phase.value.kind === 'ended' || this.#phase.value.kind === 'refused') return;
    this.#joining = true;
    clearTimeout(this.#joinTimer);
    try {
      const { broadcast, token } = this.#options;
      // Whoever directs a broadcast is not its viewer, not even before the first packet.
      const joined = await this.#client.join({ broadcast, token, preview: true });
      this.#joinAttempt = 0;
      if (this.#phase.value.kind === 'taken') this.#phase.value = { kind: 'connecting' };
      this.#setBroadcast(joined.broadcast);
      await this.#newPeer();
    } catch (thrown) {
      this.#failed(asRequestError(thrown));
    } finally {
      this.#joining = false;
    }
  }

  /** A join or an offer that was not accepted. */
  #failed(error: RequestError): void {
    if (this.#options.lifetime.aborted) return;
    switch (error.code) {
      case 'disconnected':
        // A `welcome` follows, and with it the next join.
        break;
      case 'ended':
        this.#ended();
        break;
      case 'publisher_present':
      case 'conflict':
        this.#finish({ kind: 'taken' });
        break;
      case 'invalid_token':
      case 'token_expired':
      case 'forbidden':
      case 'not_found':
        this.#refused(error);
        break;
      default:
        this.#joinTimer = setTimeout(() => void this.#join(), backoffMs(2 + this.#joinAttempt++, Math.random()));
    }
  }

  async #newPeer(): Promise<void> {
    if (!this.#client.isOpen || this.#source === null) return;
    this.#peer?.close();
    const peer = new MediaPeer(this.#client.iceServers);
    this.#peer = peer;
    // A new source is wanted whole until the server says otherwise.
    this.#unwatched.value = new Set();
    this.#snapshot = null;
    this.#watch.peerStarted(performance.now());
    peer.connection.addEventListener('connectionstatechange', () => this.#judge(), { signal: this.#options.lifetime });
    this.#addTracks(peer.connection, this.#source);
    try {
      await peer.negotiate(this.#client, 'publish');
      await this.#tune();
    } catch (thrown) {
      // A peer that was replaced while it negotiated fails alone.
      if (peer === this.#peer) this.#failed(asRequestError(thrown));
    }
  }

  #addTracks(connection: RTCPeerConnection, { video, audio }: PublisherSource): void {
    const sendEncodings = encodingsFor(video?.getSettings().height ?? ASSUMED_HEIGHT);
    const picture = connection.addTransceiver(video ?? 'video', { direction: 'sendonly', sendEncodings });
    const codecs = RTCRtpSender.getCapabilities('video')?.codecs;
    if (codecs && 'setCodecPreferences' in picture) picture.setCodecPreferences(codecOrder(codecs));
    connection.addTransceiver(audio ?? 'audio', { direction: 'sendonly', sendEncodings: [{ maxBitrate: AUDIO_BPS }] });
  }

  #sender(kind: 'video' | 'audio'): RTCRtpSender | undefined {
    // Transceivers are added picture first; the sender's own track may be null.
    return this.#peer?.connection.getTransceivers()[kind === 'video' ? 0 : 1]?.sender;
  }

  /** Sizes and bit rates for the picture there is now, and what to give up first when there is not enough. One after the other. */
  #tune(): Promise<void> {
    this.#tuned = this.#tuned.then(() => this.#setParameters());
    return this.#tuned;
  }

  async #setParameters(): Promise<void> {
    const sender = this.#sender('video');
    const height = this.#source?.video?.getSettings().height;
    if (!sender || !height) return;
    const parameters = sender.getParameters();
    const wanted = encodingsFor(height);
    this.#unused = new Set(wanted.flatMap(({ rid, active }) => (active ? [] : [rid])));
    const largest = wanted.findLastIndex(({ active }) => active);
    fillEncodings(parameters.encodings, wanted, (rid, index) => this.#unwatched.value.has(rid) || (index === largest && this.#topLayer.value !== 'on'));
    parameters.degradationPreference = this.#source?.kind === 'screen' ? 'maintain-resolution' : 'maintain-framerate';
    // Refused while the browser itself changes the parameters, or when the peer is gone; what holds already is good enough then.
    await sender.setParameters(parameters).catch(() => undefined);
  }

  async #onTick(): Promise<void> {
    const peer = this.#peer;
    if (this.#reading || !peer) return;
    this.#reading = true;
    try {
      const entries = entriesOf(await peer.connection.getStats());
      if (peer !== this.#peer || this.#options.lifetime.aborted) return;
      if (this.#snapshot && peer.connected) {
        const reading = publisherHealth(this.#snapshot, entries, this.#unused);
        this.#health.value = [...this.#health.value, reading].slice(-HEALTH_HISTORY);
      }
      this.#snapshot = readOutbound(entries);
      this.#look(peer, numberOf(selectedPair(entries), 'bytesReceived'));
    } catch {
      // The connection closed under us; the next tick has the new one.
    } finally {
      this.#reading = false;
    }
  }

  #look(peer: MediaPeer, progress: number): void {
    if (!this.#client.isOpen) return;
    // What comes back (RTCP) is too sparse on some browsers to be expected; ICE and the server's word decide.
    const action = this.#watch.handle(performance.now(), { connected: peer.connected, lost: peer.lost, progress, heard: null, expected: false });
    this.#judge();
    if (action === 'new_peer') void this.#newPeer();
    else if (action === 'restart_ice') {
      peer.negotiate(this.#client, 'publish', { restartIce: true }).catch((thrown: unknown) => {
        if (asRequestError(thrown).code === 'not_found') this.#watch.peerGone();
      });
    }
  }
}
