// A call as one member sees it: entering, who is there, who speaks, what each may do, how it ended. Knows no looks and opens no device.
//
//   off ──start, join──▶ entering ──entered──▶ in ──session lost──▶ away ──entered anew──▶ in
//                           └──refused──▶ over ◀──left, removed, lost──┘
//
// Signaling resumes by itself; only where a session could not be resumed is the call entered again, which the server allows to whoever was in it
// a moment ago. And a call that was left is told to the server until it knows: otherwise friends go on seeing somebody who is not there.
import { type ReadonlySignal, batch, computed, effect, signal, untracked } from '@preact/signals';
import { backoffMs } from '../lib/backoff';
import { RequestError, asRequestError } from '../lib/errors';
import { drawNonce } from '../lib/nonce';
import type { SignalingEvent } from '../lib/signaling';
import type { ViewerSession } from '../lib/viewer';
import { every } from '../lib/worker_timer';
import type { CallAsk, CallLine, CallMember, CallOver, CallPlay, CallView, MemberId, OnAirAsk, ReactionKind } from '../protocol';
import { CallDevices } from './devices';
import { CallMedia, type MediaSession } from './call_media';
import { Captions } from './captions';
import { type CallNews, newsOf } from './call_news';

/** A member of whom nothing was heard for this long does not speak any more, whatever was last said of it, ms. */
const SPEECH_FORGOTTEN_MS = 15_000;
/** A reaction stays over a face for this long at least, ms. */
const BUBBLE_MS = 2_400;
/** Lines of the call's own chat that are kept. */
const LINES_KEPT = 200;
const TICK_MS = 1_000;
/** For the match to be joined, ms. */
const SEAT_LIMIT_MS = 8_000;

export type CallPhase =
  | { kind: 'off' }
  | { kind: 'entering' }
  | { kind: 'in' }
  /** The session was lost; it is being entered again. */
  | { kind: 'away' }
  | { kind: 'over'; why: CallOver }
  /** It could not be entered. */
  | { kind: 'refused'; error: RequestError };

/** How a call is come to. */
export type CallDoor = { kind: 'start'; ring: readonly string[] } | { kind: 'join'; call: string; invitation: string | null };

export type Bubble = { key: number; to: MemberId; by: MemberId; kind: ReactionKind; atMs: number };

/** What is needed of the viewer's session. */
export type CallSession = MediaSession & Pick<ViewerSession, 'seat' | 'serverNow'>;

export class Call {
  readonly devices: CallDevices;
  readonly media: CallMedia;
  readonly captions = new Captions();
  readonly #session: CallSession;
  readonly #lifetime: AbortSignal;
  readonly #phase = signal<CallPhase>({ kind: 'off' });
  readonly #view = signal<CallView | null>(null);
  readonly #me = signal<MemberId | null>(null);
  readonly #lines = signal<readonly CallLine[]>([]);
  readonly #speech = signal<ReadonlyMap<MemberId, { atMs: number; levelDbov: number }>>(new Map());
  readonly #bubbles = signal<readonly Bubble[]>([]);
  readonly #paceMs = signal<number | null>(null);
  readonly #played = signal<{ by: MemberId | null; play: CallPlay } | null>(null);
  readonly #news = signal<readonly CallNews[]>([]);
  readonly #volumes = signal<ReadonlyMap<string, number>>(new Map());
  readonly #unread = signal(0);
  readonly isEveryFace = signal(false);
  readonly pinned = signal<MemberId | null>(null);
  /** Whether the call's own chat is looked at: then nothing in it is unread. */
  readonly isReading = signal(false);
  readonly #member = computed(() => this.#view.value?.members.find(({ id }) => id === this.#me.value) ?? null);
  readonly #others = computed(() => (this.#view.value?.members ?? []).filter(({ id }) => id !== this.#me.value));
  readonly #speaker = computed(() => {
    const speech = this.#speech.value;
    const speaking = this.#others.value.filter(({ id, user }) => speech.has(id) && this.volumeOf(user) > 0);
    return speaking.sort((a, b) => (speech.get(a.id)?.levelDbov ?? 127) - (speech.get(b.id)?.levelDbov ?? 127))[0] ?? null;
  });
  readonly #targetMs = computed(() => {
    const play = this.#view.value?.play;
    if (!this.isIn.value || !this.#member.value?.in_step || !play) return null;
    switch (play.at) {
      case 'live': return this.#paceMs.value;
      case 'behind': return play.behind_ms;
      case 'paused': return null;
    }
  });
  readonly isIn = computed(() => this.#phase.value.kind === 'in');
  /** In it, or on the way back into it. */
  readonly isOn = computed(() => this.#phase.value.kind === 'in' || this.#phase.value.kind === 'away');
  #bubbleKey = 0;
  #attempt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** What the server was last told, or is being told, of what is sent. */
  #presented = '';
  #presentAttempt = 0;
  #presentAgain: ReturnType<typeof setTimeout> | undefined;
  /** Left, which the server does not know yet. */
  #leaving: Promise<void> | null = null;
  #isUnsaid = false;
  #leaveAttempt = 0;
  #leaveAgain: ReturnType<typeof setTimeout> | undefined;

  constructor(session: CallSession, lifetime: AbortSignal, devices: CallDevices = new CallDevices(lifetime)) {
    this.#session = session;
    this.#lifetime = lifetime;
    this.devices = devices;
    this.media = new CallMedia(session, lifetime);
    session.client.listen((event) => batch(() => this.#heard(event)), lifetime);
    const stops = [
      effect(() => {
        const sent = devices.sent.value;
        untracked(() => this.media.send(sent));
      }),
      effect(() => {
        const [others, isEveryFace] = [this.#others.value.length, this.isEveryFace.value];
        untracked(() => this.media.want(others, isEveryFace));
      }),
      effect(() => this.#present()),
      effect(() => { if (this.isReading.value) this.#unread.value = 0; }),
      // A session that was lost is joined first, and then the call.
      effect(() => { if (session.seat.value !== null && this.#phase.value.kind === 'away') untracked(() => void this.#enterAgain()); }),
    ];
    every(TICK_MS, () => this.#tick(), lifetime);
    lifetime.addEventListener('abort', () => {
      for (const stop of stops) stop();
      for (const timer of [this.#retry, this.#presentAgain, this.#leaveAgain]) clearTimeout(timer);
      if (this.isOn.peek()) this.#ask({ ask: 'leave' }).catch(() => undefined);
    }, { once: true });
  }

  get phase(): ReadonlySignal<CallPhase> {
    return this.#phase;
  }
  get view(): ReadonlySignal<CallView | null> {
    return this.#view;
  }
  get me(): ReadonlySignal<CallMember | null> {
    return this.#member;
  }
  get others(): ReadonlySignal<readonly CallMember[]> {
    return this.#others;
  }
  get isHost(): boolean {
    return this.#view.value !== null && this.#view.value.host === this.#me.value;
  }
  get lines(): ReadonlySignal<readonly CallLine[]> {
    return this.#lines;
  }
  get unread(): ReadonlySignal<number> {
    return this.#unread;
  }
  get bubbles(): ReadonlySignal<readonly Bubble[]> {
    return this.#bubbles;
  }
  /** The loudest of the others who speak and are listened to. */
  get speaker(): ReadonlySignal<CallMember | null> {
    return this.#speaker;
  }
  /** How far behind the server's clock this member's picture is to be, ms; `null`: their own way. */
  get targetMs(): ReadonlySignal<number | null> {
    return this.#targetMs;
  }
  /** Where everybody has been moved to last; `by` of `null`: where they were when this member came. */
  get played(): ReadonlySignal<{ by: MemberId | null; play: CallPlay } | null> {
    return this.#played;
  }
  /** What has just happened, for a word about it. */
  get news(): ReadonlySignal<readonly CallNews[]> {
    return this.#news;
  }

  isSpeaking(member: MemberId): boolean {
    return this.#speech.value.has(member);
  }

  /** How loud a person is to be here, 0..1. Kept by person, so that whoever comes back is as loud as they were. */
  volumeOf(user: string): number {
    return this.#volumes.value.get(user) ?? 1;
  }

  setVolume(user: string, volume: number): void {
    this.#volumes.value = new Map(this.#volumes.value).set(user, Math.min(1, Math.max(0, volume)));
  }

  nameOf(member: MemberId): string | null {
    return this.#view.value?.members.find(({ id }) => id === member)?.name ?? null;
  }

  /** Devices are open by now. Ends in `in` or `refused`. */
  async enter(door: CallDoor): Promise<void> {
    const { kind } = this.#phase.peek();
    if (kind === 'entering' || kind === 'in' || kind === 'away') return;
    this.#phase.value = { kind: 'entering' };
    try {
      await this.#seated();
      // What is said late of the last call would end this one.
      await this.#sayLeft();
      await this.#enterBy(door.kind === 'start'
        ? { ask: 'start', ring: [...door.ring] }
        : { ask: 'join', call: door.call, ...(door.invitation ? { invitation: door.invitation } : {}) });
    } catch (thrown) {
      this.#phase.value = { kind: 'refused', error: asRequestError(thrown) };
    }
  }

  /** Back to before a call, once a person has read how the last one ended. */
  forget(): void {
    const { kind } = this.#phase.peek();
    if (kind === 'over' || kind === 'refused') this.#phase.value = { kind: 'off' };
  }

  leave(): void {
    if (!this.isOn.peek()) return;
    this.#isUnsaid = true;
    void this.#sayLeft();
    this.#over('left');
  }

  /** Tells the server, if it does not know, that this person has left. Never rejects; what was lost is said again. */
  #sayLeft(): Promise<void> {
    if (!this.#isUnsaid) return Promise.resolve();
    clearTimeout(this.#leaveAgain);
    this.#leaving ??= this.#ask({ ask: 'leave' }).then(
      () => { this.#isUnsaid = false; },
      (thrown: unknown) => {
        const error = asRequestError(thrown);
        // Refused for good: this session is in no call.
        if (!error.retryable) this.#isUnsaid = false;
        // Without a connection the next one brings it about.
        else if (error.code !== 'disconnected' && !this.#lifetime.aborted) {
          this.#leaveAgain = setTimeout(() => void this.#sayLeft(), error.retryAfterMs ?? backoffMs(this.#leaveAttempt++, Math.random()));
        }
      },
    ).finally(() => {
      this.#leaving = null;
      if (!this.#isUnsaid) this.#leaveAttempt = 0;
    });
    return this.#leaving;
  }

  /** Rejects with a `RequestError`, as all of these do. */
  async ring(users: readonly string[]): Promise<void> {
    await this.#ask({ ask: 'ring', users: [...users] });
  }

  /** The secret of a link and when it ends, ms since the Unix epoch. */
  async link(): Promise<{ invitation: string; expiresAtMs: number }> {
    const answer = await this.#ask({ ask: 'link' });
    if (answer.type !== 'call_link') throw asRequestError(new Error('the server answered with something else'));
    return { invitation: answer.invitation, expiresAtMs: answer.expires_at_ms };
  }

  async remove(member: MemberId): Promise<void> {
    await this.#ask({ ask: 'remove', member });
  }

  async mute(member: MemberId): Promise<void> {
    await this.#ask({ ask: 'mute', member });
  }

  async say(text: string, nonce: number = drawNonce()): Promise<void> {
    await this.#ask({ ask: 'say', nonce, text });
  }

  async react(kind: ReactionKind, to: MemberId | null): Promise<void> {
    await this.#ask({ ask: 'react', kind, ...(to === null ? {} : { to }) });
  }

  async setInStep(on: boolean): Promise<void> {
    await this.#ask({ ask: 'in_step', on });
  }

  async play(play: CallPlay): Promise<void> {
    // What this member sees has moved already: the others' answer will be the same.
    const before = this.#view.peek();
    if (!before) return;
    this.#view.value = { ...before, play };
    try {
      await this.#ask({ ask: 'play', play });
    } catch (thrown) {
      const now = this.#view.peek();
      // The others have stayed where they were.
      if (now?.play === play) this.#view.value = { ...now, play: before.play };
      throw thrown;
    }
  }

  async pin(member: MemberId | null): Promise<void> {
    this.pinned.value = member;
    await this.#ask({ ask: 'pin', ...(member === null ? {} : { member }) });
  }

  async onAir(ask: OnAirAsk): Promise<void> {
    await this.#session.client.request('on_air', { ask });
  }

  /** Once a second: how far behind this member's picture is. */
  tellPace(pace: { behindMs: number; leastMs: number }): void {
    if (this.isIn.peek()) this.#session.client.tell({ type: 'call_pace', pace: { behind_ms: pace.behindMs, least_ms: pace.leastMs } });
  }

  /** The match is joined first: somebody who comes by a link may be quicker than that. */
  #seated(): Promise<void> {
    if (this.#session.seat.peek() !== null) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (done: () => void): void => {
        clearTimeout(timer);
        stop();
        done();
      };
      const timer = setTimeout(() => settle(() => reject(RequestError.timeout())), SEAT_LIMIT_MS);
      const stop = this.#session.seat.subscribe((seat) => { if (seat !== null) queueMicrotask(() => settle(resolve)); });
    });
  }

  async #enterBy(ask: Extract<CallAsk, { ask: 'start' | 'join' }>): Promise<void> {
    // Whatever is still to be said of another call is overtaken by this.
    clearTimeout(this.#leaveAgain);
    this.#isUnsaid = false;
    const answer = await this.#ask(ask);
    if (answer.type !== 'call_entered') throw asRequestError(new Error('the server answered with something else'));
    const { kind } = this.#phase.peek();
    if (this.#lifetime.aborted || (kind !== 'entering' && kind !== 'away')) return;
    const { call, member } = answer;
    this.#attempt = 0;
    this.#presented = '';
    batch(() => {
      this.#me.value = member;
      this.#view.value = call;
      this.#lines.value = call.lines ?? [];
      this.#paceMs.value = call.pace_ms ?? null;
      this.#speech.value = new Map();
      this.#phase.value = { kind: 'in' };
      this.#played.value = { by: null, play: call.play };
    });
    this.media.enter('call');
  }

  async #enterAgain(): Promise<void> {
    const call = this.#view.peek()?.id;
    clearTimeout(this.#retry);
    if (call === undefined) return;
    try {
      await this.#enterBy({ ask: 'join', call });
    } catch (thrown) {
      const error = asRequestError(thrown);
      if (this.#phase.peek().kind !== 'away') return;
      if (!error.retryable) this.#over('lost');
      else if (error.code !== 'disconnected') this.#retry = setTimeout(() => { if (this.#phase.peek().kind === 'away') void this.#enterAgain(); }, backoffMs(this.#attempt++, Math.random()));
    }
  }

  #ask(ask: CallAsk) {
    return this.#session.client.request('call', { ask });
  }

  #heard(event: SignalingEvent): void {
    switch (event.type) {
      case 'welcome':
        // What was said while the connection was away has been missed; the next `call` is whole.
        if (!event.resumed && this.isOn.peek()) {
          this.media.suspend();
          this.#phase.value = { kind: 'away' };
        }
        // A session that is lost is in no call.
        if (event.resumed) void this.#sayLeft();
        else this.#isUnsaid = false;
        break;
      case 'call':
        this.#take(event.call);
        break;
      case 'call_over':
        if (event.call === this.#view.peek()?.id && this.isOn.peek()) this.#over(event.reason);
        break;
      case 'call_speaking':
        this.#spoke(event.member, event.speaking ? event.level_dbov : null);
        break;
      case 'call_said':
        if (!this.isOn.peek() || this.#lines.peek().some(({ number }) => number === event.line.number)) break;
        this.#lines.value = [...this.#lines.peek(), event.line].slice(-LINES_KEPT);
        if (!this.isReading.peek() && event.line.member !== this.#me.peek()) this.#unread.value += 1;
        break;
      case 'call_reacted':
        this.#bubble({ by: event.by, to: event.to, kind: event.kind });
        break;
      case 'call_played':
        if (this.#view.peek()) this.#view.value = { ...this.#view.peek()!, play: event.play };
        this.#played.value = { by: event.by, play: event.play };
        if (event.by !== this.#me.peek()) this.#news.value = [{ kind: 'played', name: this.nameOf(event.by), play: event.play }];
        break;
      case 'call_paced':
        this.#paceMs.value = event.behind_ms;
        break;
      default:
        // Of matches, chats and friends, which others listen for.
    }
  }

  #take(call: CallView): void {
    const before = this.#view.peek();
    if (!this.isOn.peek() && this.#phase.peek().kind !== 'entering' && !this.#isUnsaid) {
      // The server has somebody in a call who is in none: an answer or a word was lost.
      this.#isUnsaid = true;
      void this.#sayLeft();
    }
    if (!this.isOn.peek() || before?.id !== call.id) return;
    const me = this.#me.peek();
    this.#view.value = call;
    if (call.pace_ms !== undefined) this.#paceMs.value = call.pace_ms;
    const here = new Set(call.members.filter((member) => member.here).map(({ id }) => id));
    this.#speech.value = new Map([...this.#speech.peek()].filter(([id]) => here.has(id)));
    if (this.pinned.peek() !== null && !call.members.some(({ id }) => id === this.pinned.peek())) this.pinned.value = null;
    // Silenced by the host: the switch shows it, and the person turns it on again.
    const was = before.members.find(({ id }) => id === me);
    const is = call.members.find(({ id }) => id === me);
    if (is?.silenced && !was?.silenced) {
      this.devices.isMicrophoneOn.value = false;
      this.devices.isTalkHeld.value = false;
    }
    const news = newsOf(before, call, me);
    if (news.length > 0) this.#news.value = news;
  }

  #spoke(member: MemberId, levelDbov: number | null): void {
    const speech = new Map(this.#speech.peek());
    if (levelDbov === null) speech.delete(member);
    else speech.set(member, { atMs: performance.now(), levelDbov });
    this.#speech.value = speech;
  }

  #bubble(bubble: Omit<Bubble, 'key' | 'atMs'>): void {
    // One over a face at a time: a newer one takes its place.
    this.#bubbles.value = [...this.#bubbles.peek().filter(({ to }) => to !== bubble.to), { ...bubble, key: ++this.#bubbleKey, atMs: performance.now() }];
  }

  #tick(): void {
    const now = performance.now();
    const speech = this.#speech.peek();
    const fresh = new Map([...speech].filter(([, { atMs }]) => now - atMs < SPEECH_FORGOTTEN_MS));
    if (fresh.size < speech.size) this.#speech.value = fresh;
    this.captions.forget(now, new Set((this.#view.peek()?.members ?? []).map(({ id }) => id)));
    const bubbles = this.#bubbles.peek();
    if (bubbles.some(({ atMs }) => now - atMs >= BUBBLE_MS)) this.#bubbles.value = bubbles.filter(({ atMs }) => now - atMs < BUBBLE_MS);
  }

  /** Tells the others what this member sends, whenever that changes, until the server has taken it. */
  #present(): void {
    const { devices } = this;
    const ask = { ask: 'present', microphone: devices.isHeard.value, camera: devices.sent.value.video !== null && !devices.isSharing.value, screen: devices.isSharing.value } as const;
    const isOpen = this.#session.client.state.value.kind === 'open';
    clearTimeout(this.#presentAgain);
    if (!this.isIn.value || !isOpen) {
      this.#presented = '';
      this.#presentAttempt = 0;
      return;
    }
    const said = JSON.stringify(ask);
    if (said === this.#presented) return;
    this.#presented = said;
    this.#ask(ask).then(
      () => { this.#presentAttempt = 0; },
      (thrown: unknown) => {
        // What has changed meanwhile has been told since.
        if (this.#presented === said) this.#unpresented(asRequestError(thrown), ask.camera || ask.screen);
      },
    );
  }

  #unpresented(error: RequestError, hasPicture: boolean): void {
    this.#presented = '';
    if (error.code === 'video_full' && hasPicture) {
      // Nobody sees it: so it is off here too. That it is off is told next.
      this.#news.value = [{ kind: 'unseen' }];
      batch(() => {
        void this.devices.shareScreen(false);
        void this.devices.turnCamera(false);
      });
      return;
    }
    // Without a connection the next one brings it about.
    if (!error.retryable || error.code === 'disconnected') return;
    this.#presentAgain = setTimeout(() => this.#present(), error.retryAfterMs ?? backoffMs(this.#presentAttempt++, Math.random()));
  }

  #over(why: CallOver): void {
    clearTimeout(this.#retry);
    this.media.leave('call');
    batch(() => {
      this.#phase.value = { kind: 'over', why };
      this.#view.value = null;
      this.#me.value = null;
      this.#speech.value = new Map();
      this.#bubbles.value = [];
      this.#paceMs.value = null;
      this.#played.value = null;
      this.#unread.value = 0;
      this.pinned.value = null;
      this.captions.isOn.value = false;
    });
    // Afterwards, so that nobody is told what is sent any more. Somebody on air goes on.
    if (this.media.isIdle) this.devices.close();
  }
}
