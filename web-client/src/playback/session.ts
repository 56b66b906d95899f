// Watching one broadcast, whichever engine carries the picture: drives both engines as the plan says, and answers for the one that is shown.
//
// Conversation, seat, chat and count are the viewer's session, which goes on under either engine.
import { type ReadonlySignal, batch, computed, signal } from '@preact/signals';
import { hlsPath } from '../lib/api';
import { backoffMs } from '../lib/backoff';
import { theConnections } from '../lib/connections';
import { median } from '../lib/media_time';
import { ViewerSession } from '../lib/viewer';
import type { LayerPosition, ViewerPhase, ViewerStats } from '../lib/viewer_state';
import { every } from '../lib/worker_timer';
import type { HlsPath, LayerView, QualityChoice } from '../protocol';
import type { HlsEngine } from './hls';
import type { Recorded } from './hls_time';
import { loadHls } from './load_hls';
import { BufferRamp } from './ramp';
import { SameMoment, type Steering } from './same_moment';
import { type Air, type DownReason, type EngineName, type Pin, type Plan, Transport, type TransportReading } from './transport';
import { WebRtcEngine } from './webrtc';

/** How often it is decided, ms: two frames, so that a flip is late by one at most. */
const BEAT_MS = 30;
/** Packets are counted with every second beat: browsers renew the figure no more often. */
const BEATS_PER_COUNT = 2;
/** Figures for people change this often, ms. */
const READING_MS = 1_000;
/** Differences between the two pictures over which the middle is taken: about half a second. */
const DIFFERENCES = 16;
/** What a way is taken to carry before it has carried anything, bits per second. */
const ASSUMED_BPS = 1_500_000;
/** So much behind the action a moment is sure to be recorded and listed, ms. */
const NEAREST_MS = 6_000;
/** Who wishes to be nearer than this wishes to be live, ms. */
const EDGE_MS = 4_000;
/** A picture stopped for longer than this goes on where it stopped, ms; after less, what was missed is not worth being behind for. */
const KEEPS_PLACE_MS = 3_000;
/** A recording that begins anew with its publisher's return is missing for less than this, ms. */
const UNRECORDED_MS = 10_000;
/** A picture this near to the moment that was wished has got there, ms; after so long another one is what there is, ms. */
const WISH_MET_MS = 1_500;
const WISH_LIMIT_MS = 4_000;
/** A path that expires is renewed so long before, and no sooner than so long from now whatever the clocks say, ms. */
const RENEW_BEFORE_MS = 600_000;
const RENEW_SOONEST_MS = 60_000;

export type Elements = Record<EngineName, HTMLVideoElement>;

/** Where the pictures are shown, one over the other. */
export type Screen = {
  readonly paused: ReadonlySignal<boolean>;
  /** `engine` comes to the front and is heard; `aligned`: both pictures are at the same moment, so that their sounds may overlap. */
  bring(engine: EngineName, aligned: boolean): void;
  /** Plays what has stopped by itself, in front or out of sight: another source leaves an element stopped. Not what a person has stopped. */
  keepRunning(engine: EngineName): void;
};

/** Which engine is shown, for words about it. */
export type Carrier = { shown: EngineName | null; why: DownReason | null; /** When WebRTC is tried again, `performance.now()` ms. */ retryAtMs: number | null };

/** `live`: at the edge. `going`: a moment of the past is on its way. `past`: on screen. */
export type Place = 'live' | 'going' | 'past';

export type WatchOptions = { /** Slug or id. */ broadcast: string; token?: string | undefined; lifetime: AbortSignal };

export class WatchSession {
  readonly viewer: ViewerSession;
  readonly #webrtc: WebRtcEngine;
  /** Its program comes when it is first wanted. */
  readonly #hls = signal<HlsEngine | null>(null);
  readonly #options: WatchOptions;
  readonly #transport = new Transport(performance.now());
  readonly #ramp = new BufferRamp();
  readonly #sameMoment = new SameMoment();
  readonly #acts = signal(0);
  /** How far behind the server's clock the picture is to be, ms. */
  #targetMs: number | null = null;
  readonly #carrier = signal<Carrier>({ shown: null, why: null, retryAtMs: null });
  readonly #pin = signal<Pin>('auto');
  /** HLS's picture moves, as of the last beat. */
  readonly #hlsMoves = signal(false);
  readonly #hlsLatencyMs = signal<number | null>(null);
  readonly #place = signal<Place>('live');
  readonly #recorded = signal<Recorded | null>(null);
  readonly #speed = signal(1);
  readonly #lostMoments = signal(0);
  readonly #phase: ReadonlySignal<ViewerPhase>;
  readonly #latencyMs: ReadonlySignal<number | null>;
  readonly #stats: ReadonlySignal<ViewerStats | null>;
  readonly #layers: ReadonlySignal<readonly LayerView[]>;
  readonly #layer: ReadonlySignal<LayerPosition>;
  #screen: Screen | null = null;
  #beats = 0;
  #readAtMs = 0;
  #air: Air = 'unknown';
  #lines: number | null = null;
  #toldLines: number | null = null;
  /** Lines of another drawing of the same picture, in a window that is seen while this page is not. */
  #linesElsewhere = 0;
  #differences: number[] = [];
  #heldMs: number | null = null;
  #stage: { video: HTMLVideoElement; until: AbortSignal } | null = null;
  #isLoading = false;
  #loadRetryAt = 0;
  #loadAttempt = 0;
  #path: { path: string; /** By the server's clock. */ renewAtMs: number } | null = null;
  #pathAsked: Promise<string> | null = null;
  /** Ends the engine, which stays on its path for life. */
  #spent = new AbortController();
  /** The moment that was wished last and is not on screen yet, ms. */
  #wished: { mediaMs: number; atMs: number } | null = null;
  /** Since when a broadcast that is on has not been recorded. */
  #unrecordedAt: number | null = null;
  #stopped: { atMs: number; mediaMs: number | null } | null = null;

  constructor(options: WatchOptions) {
    this.#options = options;
    const { broadcast, token, lifetime } = options;
    const onTransport = (to: EngineName): void => this.nodeAsks(to);
    this.viewer = new ViewerSession({ broadcast, token, connection: theConnections().toJoin(), lifetime, onTransport });
    this.#webrtc = new WebRtcEngine(this.viewer);
    const { viewer } = this;
    const onHls = computed(() => this.#carrier.value.shown === 'hls');
    this.#phase = computed(() => {
      const phase = viewer.phase.value;
      const place = this.#place.value;
      if (place === 'past' && (phase.kind === 'ended' || isMended(phase))) return PLAYING;
      if (place === 'going' && phase.kind === 'ended') return CONNECTING;
      return onHls.value && this.#hlsMoves.value && isMended(phase) ? PLAYING : phase;
    });
    this.#latencyMs = computed(() => (onHls.value ? this.#hlsLatencyMs.value : viewer.latencyMs.value));
    this.#layers = computed(() => (onHls.value ? this.#rungsAsLayers() : viewer.layers.value));
    this.#layer = computed(() => {
      if (!onHls.value) return viewer.layer.value;
      const current = this.#layers.value[this.#hls.value?.rung.value ?? -1]?.spatial ?? null;
      return { current, target: current };
    });
    this.#stats = computed(() => {
      if (!onHls.value) return viewer.stats.value;
      const stats = this.#hls.value?.stats.value ?? null;
      return stats && { ...stats, totalDelayMs: this.#hlsLatencyMs.value };
    });
    every(BEAT_MS, () => batch(() => this.#beat()), lifetime);
    // A new network is the best hint there is that WebRTC may get through now.
    globalThis.addEventListener?.('online', () => this.#networkChanged(), { signal: lifetime });
    (navigator as { connection?: EventTarget }).connection?.addEventListener('change', () => this.#networkChanged(), { signal: lifetime });
  }

  get phase(): ReadonlySignal<ViewerPhase> {
    return this.#phase;
  }
  get latencyMs(): ReadonlySignal<number | null> {
    return this.#latencyMs;
  }
  get stats(): ReadonlySignal<ViewerStats | null> {
    return this.#stats;
  }
  /** What can be chosen now, smallest first. */
  get layers(): ReadonlySignal<readonly LayerView[]> {
    return this.#layers;
  }
  get layer(): ReadonlySignal<LayerPosition> {
    return this.#layer;
  }
  get quality(): ReadonlySignal<QualityChoice> {
    return this.viewer.quality;
  }
  get carrier(): ReadonlySignal<Carrier> {
    return this.#carrier;
  }
  get pin(): ReadonlySignal<Pin> {
    return this.#pin;
  }
  get place(): ReadonlySignal<Place> {
    return this.#place;
  }
  /** What of the past can be played, as far as it is known; `null` before the recording was first loaded. */
  get recorded(): ReadonlySignal<Recorded | null> {
    return this.#recorded;
  }
  /** How fast the past is played. */
  get speed(): ReadonlySignal<number> {
    return this.#speed;
  }
  /** How many moments were asked for and did not come. */
  get lostMoments(): ReadonlySignal<number> {
    return this.#lostMoments;
  }
  /** The picture of HLS follows on. */
  get hlsMoves(): ReadonlySignal<boolean> {
    return this.#hlsMoves;
  }
  /** How often the person has gone somewhere else in the match: live, back, forwards. */
  get acts(): ReadonlySignal<number> {
    return this.#acts;
  }
  get broadcast(): ViewerSession['broadcast'] {
    return this.viewer.broadcast;
  }
  get viewers(): ViewerSession['viewers'] {
    return this.viewer.viewers;
  }
  get user(): ViewerSession['user'] {
    return this.viewer.user;
  }
  get client(): ViewerSession['client'] {
    return this.viewer.client;
  }
  get seat(): ViewerSession['seat'] {
    return this.viewer.seat;
  }

  /** The two elements, for as long as they are there. They are never exchanged: the last frame of one stays until the other moves. */
  attach(elements: Elements, screen: Screen, until: AbortSignal): void {
    this.#screen = screen;
    this.#webrtc.attach(elements.webrtc, until);
    this.#stage = { video: elements.hls, until };
    this.#hls.peek()?.attach(elements.hls, until);
    until.addEventListener('abort', () => { this.#screen = this.#stage = null; }, { once: true });
  }

  /** The media time on screen, ms since the Unix epoch. */
  mediaNow(localMs: number = performance.now()): number | null {
    return this.#onHls ? (this.#hls.peek()?.mediaNow(localMs) ?? this.#wished?.mediaMs ?? null) : this.viewer.mediaNow(localMs);
  }

  /** The moment on screen or, where another one has been wished, that one. */
  position(): number | null {
    return this.#wished?.mediaMs ?? this.mediaNow();
  }

  /** See `ViewerSession.moment`. */
  moment(localMs: number = performance.now()): number | null | undefined {
    if (this.#onHls && this.#phase.peek().kind === 'playing') return this.#hls.peek()?.seen(localMs) ?? undefined;
    return this.viewer.moment(localMs);
  }

  serverNow(localMs: number = performance.now()): number | null {
    return this.viewer.serverNow(localMs);
  }

  /** See `ViewerSession.drawn`. */
  drawn(lines: number): void {
    this.#lines = lines;
  }

  /** As `drawn`, in a window of its own; 0: there is none. */
  drawnElsewhere(lines: number): void {
    this.#linesElsewhere = lines;
  }

  setQuality(choice: QualityChoice): void {
    this.viewer.setQuality(choice);
  }

  /** The person's choice of transport; until the page is left. */
  setPin(pin: Pin): void {
    this.#pin.value = pin;
    this.#transport.setPin(performance.now(), pin);
    if (pin === 'webrtc' && !this.viewer.linkUp) this.viewer.retry();
  }

  /** The node wants this viewer elsewhere: `hls` when it has no room, `webrtc` when it has again. */
  nodeAsks(to: EngineName): void {
    this.#transport.nodeAsks(performance.now(), to);
  }

  /** Whether there is a past to go to: it is recorded, or there is a replay. */
  get canRewind(): boolean {
    const broadcast = this.broadcast.value;
    return !(this.#hls.value?.impossible ?? false) && (broadcast?.dvr !== undefined || broadcast?.replay === true || this.#place.value !== 'live');
  }

  /** Plays from `mediaMs` on, ms since the Unix epoch; what is too near to the action is the live edge. */
  playFrom(mediaMs: number): void {
    if (!this.canRewind) return;
    this.#acts.value += 1;
    const server = this.serverNow();
    const isOver = this.#airNow() === 'off';
    if (!isOver && server !== null && mediaMs > server - EDGE_MS) {
      if (this.#place.peek() !== 'live') this.goLive();
      return;
    }
    const now = performance.now();
    const there = Math.max(mediaMs, this.#recorded.peek()?.fromMs ?? mediaMs);
    this.#wished = { mediaMs: isOver || server === null ? there : Math.min(there, server - NEAREST_MS), atMs: now };
    this.#hls.peek()?.seek(this.#wished.mediaMs);
    this.#transport.rewind(now);
    if (this.#place.peek() === 'live') this.#place.value = 'going';
  }

  /** So much forwards, or back, from the moment that is on screen or on its way. */
  step(byMs: number): void {
    const from = this.position();
    if (from !== null && (byMs < 0 || this.#place.peek() !== 'live')) this.playFrom(from + byMs);
  }

  /** From the beginning of what is recorded. */
  playFromStart(): void {
    this.playFrom(this.#recorded.peek()?.fromMs ?? this.broadcast.peek()?.started_at_ms ?? 0);
  }

  setSpeed(speed: number): void {
    this.#speed.value = speed;
    this.#hls.peek()?.setSpeed(speed);
  }

  /** A picture that has been stopped for a while goes on where it stopped, if that is recorded. `false`: it is to be played as it is. */
  resume(): boolean {
    const stopped = this.#stopped;
    if (!stopped || stopped.mediaMs === null || this.#place.peek() !== 'live' || performance.now() - stopped.atMs < KEEPS_PLACE_MS) return false;
    this.playFrom(stopped.mediaMs);
    return this.#isRewinding;
  }

  /** To the live edge of whatever can play it, skipping what lies between. */
  goLive(): void {
    if (this.#airNow() === 'off') return;
    this.#acts.value += 1;
    this.#toLive();
  }

  #toLive(): void {
    this.#ramp.drop();
    this.#transport.goLive(performance.now());
    this.#wished = null;
    this.#place.value = 'live';
    if (!this.#onHls) return;
    this.#hls.peek()?.toLiveEdge();
    if (this.#pin.peek() !== 'hls' && !this.viewer.linkUp) this.viewer.retry();
  }

  /** Keeps the picture `targetMs` behind the server's clock, as friends have agreed; `null`: as near as it can be. */
  keepBehind(targetMs: number | null): void {
    this.#targetMs = targetMs;
  }

  /** How far behind the picture is and how little it could be, ms; `null` while that is not known. */
  pace(): { behindMs: number; leastMs: number } | null {
    return this.#sameMoment.pace();
  }

  /** Tries whatever is broken again, now. */
  retry(): void {
    this.#hls.peek()?.tryAfresh();
    this.#loadRetryAt = 0;
    this.viewer.retry();
  }

  /** Where HLS of this broadcast is, and what belongs to it: open to this person for some hours. Asked for once, for whoever needs it. */
  path(): Promise<string> {
    if (this.#path) return Promise.resolve(this.#path.path);
    this.#pathAsked ??= this.#askPath().finally(() => { this.#pathAsked = null; });
    return this.#pathAsked;
  }

  get #isRewinding(): boolean {
    return this.#place.peek() !== 'live';
  }

  get #onHls(): boolean {
    return this.#carrier.peek().shown === 'hls';
  }

  #networkChanged(): void {
    if (this.#onHls && !this.viewer.linkUp && this.#pin.peek() !== 'hls') this.viewer.retry();
  }

  #beat(): void {
    if (this.#options.lifetime.aborted || !this.#screen) return;
    const now = performance.now();
    if (++this.#beats % BEATS_PER_COUNT === 0) void this.#webrtc.count();
    this.#renewPath(now);
    const hls = this.#hls.peek();
    const air = this.#airNow();
    if (air === 'on' && this.#air !== 'on') this.#hls.peek()?.tryAfresh();
    this.#air = air;
    const paused = this.#screen.paused.peek();
    if (!paused) this.#stopped = null;
    else this.#stopped ??= { atMs: now, mediaMs: this.mediaNow(now) };
    const reading: TransportReading = {
      air,
      paused,
      together: this.#targetMs !== null,
      webrtc: this.#webrtc.read(now),
      hls: hls ? { ...hls.read(now), impossible: hls.impossible, recorded: hls.isRecorded, behindMs: this.#behind(now, hls), speed: this.#speed.peek() } : NOT_THERE,
    };
    // What is no longer recorded has no past; what is over has nothing else.
    if (air !== 'on' || !this.#isRewinding || this.broadcast.peek()?.dvr) this.#unrecordedAt = null;
    else if (now - (this.#unrecordedAt ??= now) > UNRECORDED_MS) this.#toLive();
    const plan = this.#transport.handle(now, reading);
    this.#carryOut(now, plan, this.#screen);
    this.#hold(now, plan, reading);
    this.#say(now, plan, reading);
  }

  #airNow(): Air {
    const { kind } = this.viewer.phase.peek();
    if (kind === 'ended' || kind === 'refused' || kind === 'not_found' || kind === 'full') return 'off';
    switch (this.viewer.broadcast.peek()?.state) {
      case undefined: return 'unknown';
      case 'live': return 'on';
      case 'reconnecting': return 'away';
      case 'idle': case 'ended': return 'off';
    }
  }

  #carryOut(now: number, plan: Plan, screen: Screen): void {
    const stats = this.viewer.stats.peek();
    const carriesBps = stats && stats.videoBps > 0 ? (stats.videoBps + stats.audioBps) * 1.5 : ASSUMED_BPS;
    const choice = this.quality.peek();
    if (plan.hls !== 'off' && !this.#hls.peek() && !this.#isLoading && now >= this.#loadRetryAt) void this.#load();
    this.#hls.peek()?.want(now, {
      warmth: plan.hls,
      lowest: choice.mode === 'audio_only',
      rung: choice.mode === 'layer' ? this.#rungOf(choice.spatial) : null,
      carriesBps,
      sizes: this.viewer.layers.peek().filter(({ active }) => active).length,
      fromMs: plan.recorded ? (this.#wished?.mediaMs ?? 0) : null,
    });
    if (plan.hls === 'lowest' || plan.hls === 'playing') screen.keepRunning('hls');
    this.viewer.setMedia(plan.webrtc !== 'off');
    const lines = plan.webrtc === 'drawn' ? this.#lines === null ? null : Math.max(this.#lines, this.#linesElsewhere) : 0;
    if (lines !== null && lines !== this.#toldLines && (this.#lines !== null || this.#toldLines !== null)) {
      this.#toldLines = lines;
      this.viewer.drawn(lines);
    }
    if (plan.shown && plan.shown !== this.#carrier.peek().shown) screen.bring(plan.shown, plan.aligned);
    // It may have been stopped before it was left, and its frames are what tells that it is back. While a moment of the past is on its way what
    // was stopped stands still.
    if (plan.shown && plan.state !== 'rewinding') screen.keepRunning('webrtc');
  }

  #hold(now: number, plan: Plan, { webrtc, hls }: TransportReading): void {
    const server = this.serverNow(now);
    const steering = this.#steer(now, plan, { webrtc, hls }, server);
    const wants = plan.align && hls.mediaMs !== null && server !== null && hls.moving;
    if (wants && webrtc.mediaMs !== null && webrtc.moving) this.#differences = [...this.#differences, webrtc.mediaMs - hls.mediaMs!].slice(-DIFFERENCES);
    else this.#differences = [];
    const ahead = median(this.#differences);
    const wantedMs = wants ? server - hls.mediaMs! : null;
    const latencyMs = wantedMs === null || ahead === null || this.#differences.length < DIFFERENCES ? null : wantedMs - ahead;
    const onScreen = plan.shown === 'webrtc';
    const asked = onScreen && !wants ? steering.webrtc : null;
    const targets = this.#ramp.handle(now, asked ? { ...asked, onScreen } : { wantedMs, latencyMs, onScreen });
    // What was measured before a step says nothing about what comes after it.
    if (!onScreen && targets.video !== this.#heldMs) this.#differences = [];
    this.#heldMs = targets.video;
    this.#webrtc.hold(targets);
  }

  /** What is needed for the picture on screen to be at the moment of others. */
  #steer(now: number, plan: Plan, reading: Pick<TransportReading, 'webrtc' | 'hls'>, server: number | null): Steering {
    const { shown } = plan;
    const picture = shown === null ? null : reading[shown];
    const moves = picture !== null && picture.moving && !this.#screen?.paused.peek() && plan.state !== 'rewinding' && this.#speed.peek() === 1;
    const steering = this.#sameMoment.handle(now, {
      engine: moves ? shown : null,
      behindMs: picture === null || picture.mediaMs === null || server === null ? null : server - picture.mediaMs,
      heldMs: this.#heldMs,
      bufferMs: this.viewer.stats.peek()?.jitterBufferMs ?? null,
      isLive: !this.#isRewinding,
      isStarved: shown === 'webrtc' && this.#webrtc.isStarved,
    }, this.#targetMs);
    this.#hls.peek()?.steer(shown === 'hls' ? steering.rate : null, shown === 'hls' ? steering.jumpMs : null);
    return steering;
  }

  #say(now: number, plan: Plan, { hls }: TransportReading): void {
    const { shown, why, retryAtMs } = plan;
    const before = this.#carrier.peek();
    const said: Carrier = { shown, why: shown === 'hls' ? why : null, retryAtMs };
    if (before.shown !== said.shown || before.why !== said.why || before.retryAtMs !== said.retryAtMs) this.#carrier.value = said;
    // Without a press it ends for want of a picture.
    if (this.#place.peek() === 'going' && plan.state !== 'rewound' && plan.state !== 'rewinding') this.#lostMoments.value += 1;
    this.#place.value = plan.state === 'rewound' ? 'past' : plan.state === 'rewinding' ? 'going' : 'live';
    if (this.#wished && (!this.#isRewinding || (plan.state === 'rewound' && hls.recorded && hls.mediaMs !== null && isDone(this.#wished, hls.mediaMs, now)))) this.#wished = null;
    // However the edge was come to.
    if (!this.#isRewinding && this.#speed.peek() !== 1) this.setSpeed(1);
    this.#hlsMoves.value = hls.moving || (shown === 'hls' && (this.#screen?.paused.peek() ?? false));
    if (now - this.#readAtMs < READING_MS && before.shown === shown) return;
    this.#readAtMs = now;
    const recorded = this.#hls.peek()?.recorded ?? null;
    if (recorded) this.#recorded.value = recorded;
    const server = this.serverNow(now);
    this.#hlsLatencyMs.value = shown === 'hls' && hls.mediaMs !== null && server !== null ? Math.max(0, server - hls.mediaMs) : null;
  }

  async #load(): Promise<void> {
    this.#isLoading = true;
    const { lifetime } = this.#options;
    try {
      const path = await this.path();
      if (lifetime.aborted) return;
      this.#spent = new AbortController();
      const engine = await loadHls({ url: `${path}/master.m3u8`, recordedUrl: `${path}/dvr.m3u8`, lifetime: AbortSignal.any([lifetime, this.#spent.signal]) });
      if (lifetime.aborted) return;
      engine.setSpeed(this.#speed.peek());
      if (this.#stage) engine.attach(this.#stage.video, this.#stage.until);
      this.#hls.value = engine;
      this.#loadAttempt = 0;
    } catch {
      // The network is what it is; a page that is older than its server finds nothing, and is told by whatever it asks next.
      this.#loadRetryAt = performance.now() + backoffMs(this.#loadAttempt++, Math.random());
    } finally {
      this.#isLoading = false;
    }
  }

  #behind(now: number, hls: HlsEngine): number | null {
    const [server, media] = [this.serverNow(now), hls.mediaNow(now)];
    return server === null || media === null ? null : server - media;
  }

  async #askPath(): Promise<string> {
    const { broadcast, token, lifetime } = this.#options;
    // Without a token there is nothing to be had but what is open.
    const open: HlsPath = { path: `/hls/${encodeURIComponent(broadcast)}` };
    const { path, expires_at_ms: expiresAtMs = Infinity } = token === undefined ? open : await hlsPath(broadcast, { token, signal: lifetime });
    this.#path = { path, renewAtMs: Math.max(this.#serverNowOrOurs() + RENEW_SOONEST_MS, expiresAtMs - RENEW_BEFORE_MS) };
    return path;
  }

  /** Before the path opens nothing any more another engine takes over, on a new path and at the same moment of the past. */
  #renewPath(now: number): void {
    if (!this.#path || this.#isLoading || this.#serverNowOrOurs() < this.#path.renewAtMs) return;
    const mediaMs = this.#isRewinding ? this.position() : null;
    if (mediaMs !== null) this.#wished = { mediaMs, atMs: now };
    this.#spent.abort();
    this.#path = null;
    this.#hls.value = null;
    this.#loadRetryAt = 0;
  }

  #serverNowOrOurs(): number {
    return this.serverNow() ?? Date.now();
  }

  /** The rungs under the names that the broadcast's layers have: they are the same pictures. */
  #rungsAsLayers(): readonly LayerView[] {
    return (this.#hls.value?.rungs.value ?? []).map(({ height, bitrateBps }, index) => {
      const layer = this.viewer.layers.value.find((candidate) => candidate.height === height);
      return layer ? { ...layer, active: true } : { spatial: index, width: 0, height, bitrate_bps: bitrateBps, frames_per_second: 0, active: true };
    });
  }

  #rungOf(spatial: number): number | null {
    const height = this.viewer.layers.peek().find((candidate) => candidate.spatial === spatial)?.height;
    const found = this.#hls.peek()?.rungs.peek().findIndex((rung) => rung.height === height) ?? -1;
    return found < 0 ? null : found;
  }
}

/** HLS whose program has not come yet. */
const NOT_THERE: TransportReading['hls'] = { moving: false, frozen: true, mediaMs: null, impossible: false, recorded: false, behindMs: null, speed: 1 };
const PLAYING: ViewerPhase = { kind: 'playing' };
const CONNECTING: ViewerPhase = { kind: 'connecting' };

/** Whether the picture is where it was wished to be, or has stayed elsewhere for so long that it will not get there. */
function isDone({ mediaMs, atMs }: { mediaMs: number; atMs: number }, shownMs: number, now: number): boolean {
  return Math.abs(shownMs - mediaMs) < WISH_MET_MS || now - atMs > WISH_LIMIT_MS;
}

/** Whether a picture by HLS makes good what this phase says of WebRTC. */
function isMended(phase: ViewerPhase): boolean {
  switch (phase.kind) {
    case 'connecting': case 'reconnecting': case 'blocked': return true;
    case 'playing': case 'waiting': case 'ended': case 'refused': case 'full': case 'not_found': return false;
  }
}
