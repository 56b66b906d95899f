// Watching one broadcast: joins it, keeps a media peer alive, and says in signals what there is to see. No DOM.
//
// Three things fail on their own and are mended on their own: signaling (by the page's connection, which resumes), the join (here, with
// back-off), the media transport (by what `LinkWatch` decides twice a second). The picture's stream object stays the same for the whole
// session; its tracks are exchanged once a new transport has media, so that the last frame stays on screen meanwhile.
import { type ReadonlySignal, batch, computed, signal } from '@preact/signals';
import { getBroadcast } from './api';
import { backoffMs } from './backoff';
import type { Connection, Share } from './connection';
import { type RequestError, asRequestError } from './errors';
import { personOf } from './invitation';
import { LinkWatch } from './link_watch';
import { median } from './media_time';
import type { BroadcastView, LayerView, QualityChoice, Transport, UserView } from '../protocol';
import type { SignalingEvent } from './signaling';
import { type InboundSnapshot, entriesOf, readInbound, viewerStats } from './stats';
import { type ViewerFacts, phaseOf, samePhase } from './viewer_phase';
import { type Lodger, ViewerPicture } from './viewer_picture';
import type { LayerPosition, ViewerPhase, ViewerStats } from './viewer_state';
import { every } from './worker_timer';

/** How often the transport is looked at, ms. */
const TICK_MS = 500;
/** Figures are renewed every second tick: numbers that change faster cannot be read. */
const TICKS_PER_READING = 2;
/** Between two reports of our own playback to the server, ms (the protocol allows one every 5 s). */
const REPORT_EVERY_MS = 10_000;
/** From being drawn again to the first frame, on a slow way, ms. */
const COMES_BACK_MS = 3_000;
/** The protocol counts lines in 16 bits. */
const LINES_MAX = 65_535;

/** The part of a `<video>` that tells which frame is on screen. */
export type FrameSource = Pick<HTMLVideoElement, 'requestVideoFrameCallback' | 'cancelVideoFrameCallback'>;

export type ViewerOptions = {
  /** Slug or id of the broadcast. */
  broadcast: string;
  /** A capability token, when the broadcast needs one. */
  token?: string | undefined;
  /** For a moving picture in a list: nobody's viewer, and no part of the server's figures about watching. */
  preview?: boolean;
  /** The node wants this viewer on another transport, or back. Without it: no picture until there is room again. */
  onTransport?: (to: Transport) => void;
  /** The page's. */
  connection: Connection;
  /** Ends the session. */
  lifetime: AbortSignal;
};

export class ViewerSession {
  readonly #options: ViewerOptions;
  readonly #client: Share;
  readonly #picture: ViewerPicture;
  /** The node has asked it to watch by HLS. */
  #isAway = false;
  readonly #watch = new LinkWatch(performance.now());
  readonly #startedAtMs = performance.now();

  readonly #facts = signal<ViewerFacts>({
    failure: null, state: null, hadPicture: false, flowing: false, blocked: false, cannotDecode: null, publisherReturning: false,
    silentSinceMs: performance.now(),
  });
  readonly #phase = signal<ViewerPhase>({ kind: 'connecting' });
  readonly #broadcast = signal<BroadcastView | null>(null);
  readonly #layer = signal<LayerPosition>({ current: null, target: null });
  readonly #quality = signal<QualityChoice>({ mode: 'auto' });
  readonly #latencyMs = signal<number | null>(null);
  readonly #stats = signal<ViewerStats | null>(null);
  readonly #layers = computed<readonly LayerView[]>(() => this.#broadcast.value?.layers ?? []);
  readonly #viewers = computed(() => ({ count: this.#broadcast.value?.viewers ?? 0, peak: this.#broadcast.value?.viewers_peak ?? 0 }));

  readonly #seat = signal<number | null>(null);
  readonly #user: ReadonlySignal<UserView | null>;

  #seats = 0;
  #mediaWanted = true;
  /** By whatever else goes over the same peer. */
  #mediaKept = false;
  #joining = false;
  #joinAttempt = 0;
  #joinTimer: ReturnType<typeof setTimeout> | undefined;
  #reading = false;
  #tick = 0;
  #snapshot: InboundSnapshot | null = null;
  #latencySamples: number[] = [];
  #firstFrameMs: number | null = null;
  /** As last told by the interface; `null`: never. */
  #drawn: number | null = null;
  #seenAgainAtMs = -Infinity;
  /** Of the guest's picture; `null`: nobody draws one. */
  #guestDrawn: number | null = null;
  /** Freezes that nobody saw. */
  #unseen = { freezes: 0, frozenSeconds: 0 };
  #reported = { atMs: performance.now(), freezes: 0, frozenMs: 0, framesDropped: 0 };

  constructor(options: ViewerOptions) {
    this.#options = options;
    const { lifetime } = options;
    // Before the share ends, after which nothing can be said.
    lifetime.addEventListener('abort', () => this.#picture.leave(), { once: true });
    this.#client = options.connection.share(lifetime);
    const bearer = options.token ? personOf(options.token) : null;
    this.#user = computed(() => bearer ?? this.#client.user.value);
    this.#picture = new ViewerPicture(this.#client, lifetime);
    this.#client.listen((event) => batch(() => this.#heard(event)), lifetime);
    const unsubscribe = this.#client.state.subscribe((state) => {
      if (state.kind !== 'open') this.#seat.value = null;
      if (state.kind === 'stopped' && state.error) this.#patch({ failure: state.error });
    });
    lifetime.addEventListener('abort', () => {
      unsubscribe();
      clearTimeout(this.#joinTimer);
    }, { once: true });
    every(TICK_MS, () => void this.#onTick(), lifetime);
    if (this.#client.isOpen) void this.#join();
  }

  get phase(): ReadonlySignal<ViewerPhase> {
    return this.#phase;
  }
  get broadcast(): ReadonlySignal<BroadcastView | null> {
    return this.#broadcast;
  }
  get viewers(): ReadonlySignal<{ count: number; peak: number }> {
    return this.#viewers;
  }
  /** What the broadcast has now, smallest first. */
  get layers(): ReadonlySignal<readonly LayerView[]> {
    return this.#layers;
  }
  get layer(): ReadonlySignal<LayerPosition> {
    return this.#layer;
  }
  get quality(): ReadonlySignal<QualityChoice> {
    return this.#quality;
  }
  /** Server clock minus the media time on screen, renewed once a second; `null` while unknown. */
  get latencyMs(): ReadonlySignal<number | null> {
    return this.#latencyMs;
  }
  get stats(): ReadonlySignal<ViewerStats | null> {
    return this.#stats;
  }
  /** Who this person is to the others here: whom the token of the link names, if there is one. */
  get user(): ReadonlySignal<UserView | null> {
    return this.#user;
  }
  /** The conversation, for what else is said on it: the chat. */
  get client(): Share {
    return this.#client;
  }
  /** Another number for each connection on which the broadcast is joined; `null` while it is not. */
  get seat(): ReadonlySignal<number | null> {
    return this.#seat;
  }
  /** Whoever is on air beside the main picture (`BroadcastView.guest`). Its tracks change, it does not. */
  get guest(): MediaStream {
    return this.#picture.guest;
  }
  /** For `video.srcObject`, once. Its tracks change, it does not. */
  get stream(): MediaStream {
    return this.#picture.stream;
  }

  /** Receives the main picture or sound; `null` while there is no transport. Another transport has other ones. */
  receiver(kind: 'audio' | 'video'): RTCRtpReceiver | null {
    return this.#picture.receiver(kind);
  }

  /** ICE and DTLS are up. */
  get linkUp(): boolean {
    return this.#picture.connected;
  }

  /** The server sends nothing, because this browser cannot decode what there is. */
  get undecodable(): boolean {
    return this.#facts.value.cannotDecode !== null;
  }

  /** Whether packets should be coming now, if the network lets them. */
  expectsMedia(now: number = performance.now()): boolean {
    const silent = this.#pausedUnseen(now) && this.#broadcast.value?.has_audio === false;
    return this.#facts.value.state === 'live' && this.#picture.hasPeer && !this.undecodable && !silent;
  }

  /** Whether there is to be a media transport. Without one the session goes on: seat, chat, everything but the picture. */
  setMedia(wanted: boolean): void {
    if (wanted === this.#mediaWanted) return;
    this.#mediaWanted = wanted;
    this.#settleMedia();
  }

  /** A call needs the transport whether or not the picture comes by it, and after the match is over. */
  keepMedia(kept: boolean): void {
    if (kept === this.#mediaKept) return;
    this.#mediaKept = kept;
    this.#settleMedia();
  }

  /** See `ViewerPicture.lodge`. */
  lodge(lodger: Lodger, until: AbortSignal): void {
    this.#picture.lodge(lodger, until);
  }

  /** See `ViewerPicture.offerAnew`. */
  offerAnew(): Promise<void> {
    return this.#picture.offerAnew();
  }

  /** The server's name for the transport; `null` while there is none. */
  get peer(): string | null {
    return this.#picture.peerId;
  }

  #settleMedia(): void {
    const isOver = this.#facts.value.state === 'ended';
    if (!this.#mediaKept && (!this.#mediaWanted || isOver)) this.#picture.leave();
    else if (!this.#picture.hasPeer) void this.#newPeer();
  }

  /** The media time on screen, ms since the Unix epoch. `localMs` is `performance.now()`. */
  mediaNow(localMs: number = performance.now()): number | null {
    return this.#picture.clock.mediaNow(localMs);
  }

  /**
   * The moment that the person is at, ms since the Unix epoch: of the picture, or of the sound where no picture is drawn. `null`: none of
   * either, so that there is nothing to wait for. `undefined`: not known yet, but about to be.
   */
  moment(localMs: number = performance.now()): number | null | undefined {
    const { kind } = this.#phase.value;
    if (kind === 'connecting') return this.#facts.value.state === null || this.#facts.value.state === 'live' ? undefined : null;
    if (kind !== 'playing' && kind !== 'reconnecting') return null;
    if (this.#drawn === 0 || this.#quality.value.mode === 'audio_only') return this.#picture.lastDelivered()?.mediaMs ?? null;
    return this.#picture.clock.seen(localMs) ?? undefined;
  }

  /** The server's clock, ms since the Unix epoch. */
  serverNow(localMs: number = performance.now()): number | null {
    return this.#client.clock.serverNow(localMs);
  }

  /** The lines of the picture that are on screen, in device pixels; 0 while nobody can see it, and then it is not sent. */
  drawn(lines: number): void {
    if (this.#drawn === 0 && lines > 0) this.#seenAgainAtMs = performance.now();
    this.#drawn = lines;
    this.#sendDrawn();
  }

  /** As `drawn`, of the guest's picture. */
  guestDrawn(lines: number): void {
    this.#guestDrawn = lines;
    this.#sendGuestDrawn();
  }

  setQuality(choice: QualityChoice): void {
    this.#quality.value = choice;
    this.#sendQuality();
  }

  /** Tries whatever is broken again, now. */
  retry(): void {
    this.#client.retryNow();
    if (!this.#client.isOpen) return;
    if (this.#facts.value.state === null) void this.#join();
    else {
      this.#watch.tryAfresh();
      this.#patch({ blocked: false });
      void this.#newPeer();
    }
  }

  /** Follows the frames of the element that shows `stream`. Needed for latency, media time and the moment of the first frame. */
  watchFrames(element: FrameSource, lifetime: AbortSignal): void {
    // Firefox before 132 has no frame callbacks: the hidden-tab way of #onTick serves it.
    if (!('requestVideoFrameCallback' in element)) return;
    let handle = 0;
    const next = (): void => {
      handle = element.requestVideoFrameCallback((nowMs, frame) => {
        this.#frameShown(frame.rtpTimestamp, frame.expectedDisplayTime ?? nowMs);
        next();
      });
    };
    next();
    AbortSignal.any([lifetime, this.#options.lifetime]).addEventListener('abort', () => element.cancelVideoFrameCallback(handle), { once: true });
  }

  #frameShown(rtp: number | undefined, shownAtMs: number): void {
    // A track that ends leaves a black frame, which nobody sent. Where a browser names no RTP time, statistics tell of the first frame.
    if (rtp === undefined) return;
    if (this.#firstFrameMs === null) {
      this.#firstFrameMs = performance.now() - this.#startedAtMs;
      this.#report();
    }
    if (!this.#facts.value.hadPicture) this.#patch({ hadPicture: true, flowing: true });
    this.#picture.clock.frameShown(rtp, shownAtMs);
    this.#sampleLatency(shownAtMs);
  }

  #sampleLatency(atMs: number): void {
    const server = this.serverNow(atMs);
    const media = this.mediaNow(atMs);
    if (server !== null && media !== null) this.#latencySamples.push(server - media);
  }

  #patch(changes: Partial<ViewerFacts>): void {
    const facts = { ...this.#facts.value, ...changes };
    this.#facts.value = facts;
    const phase = phaseOf(facts);
    if (!samePhase(phase, this.#phase.value)) this.#phase.value = phase;
  }

  #heard(event: SignalingEvent): void {
    switch (event.type) {
      case 'welcome':
        if (event.resumed && this.#facts.value.state !== null) {
          this.#seat.value = ++this.#seats;
          void this.#refresh();
        } else {
          // Another session is another newcomer: if there is still no room, it is told so again.
          if (this.#isAway) this.#askedTo('webrtc');
          void this.#join();
        }
        break;
      case 'broadcast':
        this.#setBroadcast(event.broadcast);
        break;
      case 'viewers':
        this.#changeBroadcast({ viewers: event.count, viewers_peak: event.peak });
        break;
      case 'transport':
        this.#askedTo(event.to);
        break;
      case 'layers':
        this.#changeBroadcast({ layers: event.layers });
        break;
      case 'layer':
        if (this.#picture.isMainVideo(event.peer, event.mid)) {
          this.#layer.value = { current: event.current ?? null, target: event.target ?? null };
        }
        break;
      case 'slots':
        this.#picture.setSlots(event.peer, event.slots);
        this.#sendDrawn();
        this.#sendGuestDrawn();
        break;
      case 'track_clock':
        this.#picture.setClock(event.peer, event.mid, { rtp0: event.rtp0, ntp0Ms: event.ntp0_ms, rateHz: event.rate });
        break;
      case 'cannot_decode':
        if (this.#picture.owns(event.peer)) this.#patch({ cannotDecode: event.codec });
        break;
      case 'peer_state':
        if (this.#picture.isCurrent(event.peer) && event.state.state === 'gone' ) this.#watch.peerGone();
        break;
      case 'playing':
      case 'unwatched':
      case 'publisher_refused':
      case 'stats':
      case 'chat':
      case 'chat_resync':
      case 'presence':
      case 'friend_changed':
      case 'private_message':
      case 'messages_read':
        break;
      // Calls and guests listen for themselves.
      case 'call':
      case 'call_over':
      case 'call_ring':
      case 'call_ring_over':
      case 'call_speaking':
      case 'call_said':
      case 'call_reacted':
      case 'call_played':
      case 'call_paced':
      case 'hands':
      case 'on_air_invited':
      case 'on_air_over':
        break;
      default:
        // What a newer server says besides; the compiler asks for a case of all that ours says.
        event satisfies never;
    }
  }

  /** A node that is nearly full has its own way; what it says is not a failure. */
  #askedTo(to: Transport): void {
    this.#isAway = to === 'hls';
    if (this.#isAway && this.#facts.value.failure?.code === 'full') {
      clearTimeout(this.#joinTimer);
      this.#patch({ failure: null });
    }
    if (this.#options.onTransport) this.#options.onTransport(to);
    else this.setMedia(!this.#isAway);
  }

  #setBroadcast(broadcast: BroadcastView): void {
    const before = this.#facts.value.state;
    this.#broadcast.value = broadcast;
    const returning = broadcast.state === 'live' && (before === 'reconnecting' || (before === 'live' && this.#facts.value.publisherReturning));
    this.#patch({ state: broadcast.state, failure: null, publisherReturning: returning });
    if (broadcast.state === 'ended' && !this.#mediaKept) this.#picture.close();
    else if (broadcast.state === 'live' && before !== 'live' && !this.#picture.hasPeer) void this.#newPeer();
  }

  #changeBroadcast(changes: Partial<BroadcastView>): void {
    if (this.#broadcast.value) this.#broadcast.value = { ...this.#broadcast.value, ...changes };
  }

  async #join(): Promise<void> {
    if (this.#joining || this.#options.lifetime.aborted) return;
    this.#joining = true;
    clearTimeout(this.#joinTimer);
    try {
      const { broadcast, token, preview } = this.#options;
      const joined = await this.#client.join({ broadcast, ...(token ? { token } : {}), ...(preview ? { preview } : {}) });
      this.#joinAttempt = 0;
      // The peer starts below, whatever the state was before.
      this.#broadcast.value = joined.broadcast;
      this.#seat.value = ++this.#seats;
      this.#patch({ state: joined.broadcast.state, failure: null, cannotDecode: null, publisherReturning: false });
      if (joined.broadcast.state !== 'ended' || this.#mediaKept) await this.#newPeer();
    } catch (thrown) {
      this.#joinFailed(asRequestError(thrown));
    } finally {
      this.#joining = false;
    }
  }

  #joinFailed(error: RequestError): void {
    if (this.#options.lifetime.aborted) return;
    // A lost connection brings a `welcome` later, and with it the next join.
    if (error.code === 'disconnected') return;
    this.#patch({ failure: error });
    if (error.retryable || error.code === 'full') {
      this.#joinTimer = setTimeout(() => void this.#join(), backoffMs(2 + this.#joinAttempt++, Math.random()));
    }
  }

  /** After a resume: what was said while we were away. */
  async #refresh(): Promise<void> {
    const known = this.#broadcast.value;
    if (!known) return;
    const { lifetime: signal, token } = this.#options;
    await getBroadcast(known.id, { signal, token }).then(
      (broadcast) => batch(() => this.#setBroadcast(broadcast)),
      // The next event brings it; the picture does not depend on it.
      () => undefined,
    );
  }

  async #newPeer(): Promise<void> {
    const { state } = this.#facts.value;
    if (!this.#client.isOpen || state === null || (!this.#mediaKept && (!this.#mediaWanted || state === 'ended'))) return;
    this.#watch.peerStarted(performance.now());
    this.#snapshot = null;
    this.#unseen = { freezes: 0, frozenSeconds: 0 };
    try {
      await this.#picture.connect();
      this.#sendDrawn();
      if (this.#quality.value.mode !== 'auto') this.#sendQuality();
    } catch (thrown) {
      this.#offerFailed(asRequestError(thrown));
    }
  }

  #offerFailed(error: RequestError): void {
    if (error.code === 'not_joined') void this.#join();
    // Full is no failure of who was told where to go instead: if a transport is wanted all the same, the next offers come ever later.
    else if ((error.code === 'ended' && !this.#mediaKept) || (error.code === 'full' && !this.#isAway) || error.code === 'forbidden') this.#joinFailed(error);
    else this.#watch.peerGone();
  }

  #sendQuality(): void {
    const peer = this.#picture.peerId;
    // A refusal means that the peer is already gone; the next one is told again.
    if (peer) this.#client.request('quality', { peer, choice: this.#quality.value }).catch(() => undefined);
  }

  #sendDrawn(): void {
    const { peerId: peer, videoMid: mid } = this.#picture;
    if (peer !== null && mid !== null && this.#drawn !== null) this.#client.tell({ type: 'view_size', peer, mid, height: Math.min(this.#drawn, LINES_MAX) });
  }

  #sendGuestDrawn(): void {
    const { peerId: peer, guestMid: mid } = this.#picture;
    if (peer !== null && mid !== null && this.#guestDrawn !== null) this.#client.tell({ type: 'view_size', peer, mid, height: Math.min(this.#guestDrawn, LINES_MAX) });
  }

  /** The picture is not drawn, or was not a moment ago: that no packet of it comes is no sign of anything. */
  #pausedUnseen(now: number): boolean {
    return this.#drawn === 0 || now - this.#seenAgainAtMs < COMES_BACK_MS;
  }

  async #onTick(): Promise<void> {
    const connection = this.#picture.connection;
    if (this.#reading || !connection) return;
    this.#reading = true;
    try {
      const entries = entriesOf(await connection.getStats());
      if (this.#options.lifetime.aborted || connection !== this.#picture.connection) return;
      const snapshot = readInbound(entries, this.#picture.videoMid, this.#picture.audioMid);
      batch(() => this.#look(snapshot));
    } catch {
      // The connection closed under us; the next tick has the new one.
    } finally {
      this.#reading = false;
    }
  }

  #look(snapshot: InboundSnapshot): void {
    const now = performance.now();
    const live = this.#facts.value.state === 'live';
    // Where there is sound, it tells of the network by itself.
    const silent = this.#pausedUnseen(now) && this.#broadcast.value?.has_audio === false;
    const action = this.#client.isOpen
      ? this.#watch.handle(now, {
          connected: this.#picture.connected,
          lost: this.#picture.lost,
          progress: snapshot.packets,
          heard: snapshot.pathBytes,
          expected: live && this.#facts.value.cannotDecode === null && !silent,
        })
      : 'none';
    if (!this.#client.isOpen) this.#watch.observe(now, snapshot.packets);
    const flowing = this.#watch.flowing(now) || (silent && this.#facts.value.flowing && this.#picture.connected);
    const decoding = snapshot.framesDecoded > 0 || (this.#quality.value.mode === 'audio_only' && snapshot.audioBytes > 0);
    this.#patch({
      flowing,
      blocked: this.#watch.blocked,
      hadPicture: this.#facts.value.hadPicture || decoding,
      publisherReturning: this.#facts.value.publisherReturning && !flowing,
      silentSinceMs: flowing ? now : this.#facts.value.silentSinceMs,
    });
    if (++this.#tick % TICKS_PER_READING === 0) this.#read(snapshot, now);
    if (action === 'restart_ice') this.#picture.restartIce().catch((thrown: unknown) => this.#restartFailed(asRequestError(thrown)));
    else if (action === 'new_peer') void this.#newPeer();
  }

  #restartFailed(error: RequestError): void {
    // The server no longer knows this peer: no restart will help.
    if (error.code === 'not_found' || error.code === 'not_joined') this.#watch.peerGone();
  }

  #read(snapshot: InboundSnapshot, now: number): void {
    if (this.#latencySamples.length === 0) {
      // No frame callbacks: a hidden tab, or sound only.
      const delivered = this.#picture.lastDelivered();
      if (delivered && now - delivered.atMs < TICK_MS * TICKS_PER_READING) {
        const server = this.serverNow(delivered.atMs);
        if (server !== null) this.#latencySamples.push(server - delivered.mediaMs);
      }
    }
    const latency = median(this.#latencySamples);
    this.#latencySamples = [];
    this.#latencyMs.value = this.#phase.value.kind === 'playing' && latency !== null ? Math.max(0, latency) : null;
    if (this.#snapshot) {
      if (this.#pausedUnseen(now)) {
        this.#unseen.freezes += snapshot.freezes - this.#snapshot.freezes;
        this.#unseen.frozenSeconds += snapshot.frozenSeconds - this.#snapshot.frozenSeconds;
      }
      const seen = { freezes: snapshot.freezes - this.#unseen.freezes, frozenSeconds: snapshot.frozenSeconds - this.#unseen.frozenSeconds };
      this.#stats.value = viewerStats(this.#snapshot, { ...snapshot, ...seen }, this.#latencyMs.value);
    }
    this.#snapshot = snapshot;
    if (now - this.#reported.atMs >= REPORT_EVERY_MS) this.#report();
  }

  #report(): void {
    if (this.#options.preview) return;
    const stats = this.#stats.value;
    const before = this.#reported;
    const now = { freezes: stats?.freezes ?? 0, frozenMs: stats?.frozenMs ?? 0, framesDropped: stats?.framesDropped ?? 0 };
    this.#reported = { atMs: performance.now(), ...now };
    this.#client.tell({
      type: 'report',
      report: {
        ...(this.#firstFrameMs === null ? {} : { first_frame_ms: this.#firstFrameMs }),
        ...(this.#latencyMs.value === null ? {} : { latency_ms: this.#latencyMs.value }),
        freezes: Math.max(0, now.freezes - before.freezes),
        frozen_ms: Math.max(0, now.frozenMs - before.frozenMs),
        frames_dropped: Math.max(0, now.framesDropped - before.framesDropped),
      },
    });
  }
}
