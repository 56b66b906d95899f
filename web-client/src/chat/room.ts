// One person's seat in the chat of a broadcast: takes it, takes it again after every lost connection, says and changes things, and says in
// signals what there is to see. No DOM.
//
//   seat of the session ─▶ enter_chat ─▶ open ──connection lost──▶ reconnecting ─▶ enter_chat since ...
//                              └──refused──▶ closed (asked again when that may help)
//
// What happens is drawn at most once a frame: forty messages a second change the lines as often as the screen does, no more.
import { type ReadonlySignal, type Signal, batch, signal } from '@preact/signals';
import { backoffMs } from '../lib/backoff';
import type { Share } from '../lib/connection';
import { RequestError, asRequestError } from '../lib/errors';
import { drawNonce } from '../lib/nonce';
import type { SignalingEvent } from '../lib/signaling';
import type { BroadcastView, ChatChange, ChatHistory, ChatMessage, ChatModes, ChatRole, ChatView, DeskEvent, ReactionCount, ReactionKind, ReplyTo, ReportReason, UserView } from '../protocol';
import { Heat } from '../reactions/heat';
import { TAPS_EVERY_MS, Taps, Totals } from '../reactions/taps';
import type { Someone } from './address';
import { type AsModerator, ModerationDesk } from './desk';
import { ChatLog, HELD_MAX_MS, type Line, type Note, type Now, type Pending } from './log';

/** The server recognises a message that is sent again for a minute; a little less, because the clock ran before it left. */
const RESENT_FOR_MS = 50_000;
/** How often it is looked whether a message's moment has come, ms. */
const RELEASE_EVERY_MS = 50;
/** A chat that is sampled is taken for sampled this long after the last frame that left something out, ms. */
const SAMPLED_FOR_MS = 15_000;
/** People that can be addressed by completion. Older ones go. */
const PEOPLE_MAX = 500;
/** Media times further from the server's clock are not from this clock, and the server refuses them, ms. */
const MOMENT_BACK_MS = 23 * 3_600_000;
const MOMENT_AHEAD_MS = 50_000;
/** Bursts of reactions that wait for their moment: ten seconds at the server's four a second, and a few. More: the oldest go. */
const BURSTS_MAX = 64;

export type ChatPhase =
  | { kind: 'connecting' }
  | { kind: 'open' }
  | { kind: 'reconnecting' }
  /** The broadcast is over: what was said stays. */
  | { kind: 'ended' }
  /** The chat did not let us in. */
  | { kind: 'closed'; error: RequestError };

/** Until when this person may not write. */
export type Silence = { untilMs: number; why: 'slow' | 'timed_out' };

/** Reactions to draw now. */
export type Burst = { counts: readonly ReactionCount[] };

/** What a chat needs of the session that it belongs to. */
export type ChatSession = {
  readonly client: Pick<Share, 'request' | 'tell' | 'listen' | 'isOpen' | 'clock'>;
  /** Who this person is in the chat. */
  readonly user: ReadonlySignal<UserView | null>;
  readonly seat: ReadonlySignal<number | null>;
  readonly broadcast: ReadonlySignal<BroadcastView | null>;
  /** See `ViewerSession.moment`. */
  moment(localMs?: number): number | null | undefined;
};

export type RoomOptions = {
  session: ChatSession;
  lifetime: AbortSignal;
  /** Whether messages wait for their moment. */
  follows: boolean;
  /** Asks the REST interface in the name of this person, for what moderators see. */
  asModerator: AsModerator;
  /** Calls once, with the next frame. Replaced in tests. */
  nextFrame?: (run: () => void) => void;
};

export class ChatRoom {
  /** What is being written, kept while the place to write it is out of sight. */
  unsaid = '';
  /** What moderators see beside the chat. */
  readonly desk: ModerationDesk;
  /** Reactions over the match. */
  readonly heat = new Heat();
  readonly #session: ChatSession;
  readonly #lifetime: AbortSignal;
  readonly #nextFrame: (run: () => void) => void;
  readonly #log = new ChatLog();
  readonly #taps = new Taps();
  readonly #totals = new Totals();

  readonly #phase = signal<ChatPhase>({ kind: 'connecting' });
  readonly #role = signal<ChatRole | null>(null);
  readonly #lines = signal<readonly Line[]>([]);
  readonly #held = signal(0);
  readonly #pinned = signal<ChatMessage | null>(null);
  readonly #modes = signal<ChatModes>(this.#log.modes);
  readonly #people = signal<number | null>(null);
  readonly #sampled = signal(false);
  readonly #view = signal<ChatView>('top');
  readonly #silence = signal<Silence | null>(null);
  readonly #banned = signal(false);
  readonly #follows: Signal<boolean>;
  readonly #spoke = signal(false);
  readonly #burst = signal<Burst | null>(null);

  #dirty = false;
  #releaseTimer: ReturnType<typeof setTimeout> | undefined;
  #tapTimer: ReturnType<typeof setTimeout> | undefined;
  #enterTimer: ReturnType<typeof setTimeout> | undefined;
  #enterAttempt = 0;
  #sampledTimer: ReturnType<typeof setTimeout> | undefined;
  /** The seat that is being taken or is taken. */
  #seat: number | null = null;
  #someone = new Map<string, Someone>();
  #bursts: Array<{ counts: readonly ReactionCount[]; momentMs: number; arrivedMs: number }> = [];

  constructor({ session, lifetime, follows, asModerator, nextFrame }: RoomOptions) {
    this.#session = session;
    this.desk = new ModerationDesk({ ask: asModerator, broadcast: () => session.broadcast.peek()?.id ?? null, change: (change) => this.change(change), lifetime });
    this.#lifetime = lifetime;
    this.#nextFrame = nextFrame ?? soon;
    this.#follows = signal(follows);
    session.client.listen((event) => this.#heard(event), lifetime);
    const forget = [
      session.seat.subscribe((seat) => this.#seated(seat)),
      session.broadcast.subscribe((broadcast) => {
        if (broadcast?.state === 'ended') this.#phase.value = { kind: 'ended' };
      }),
    ];
    lifetime.addEventListener('abort', () => {
      forget.forEach((stop) => stop());
      for (const timer of [this.#releaseTimer, this.#tapTimer, this.#enterTimer, this.#sampledTimer]) clearTimeout(timer);
    }, { once: true });
  }

  get phase(): ReadonlySignal<ChatPhase> {
    return this.#phase;
  }
  /** What this person is here; `null`: may only read. */
  get role(): ReadonlySignal<ChatRole | null> {
    return this.#role;
  }
  get lines(): ReadonlySignal<readonly Line[]> {
    return this.#lines;
  }
  /** Messages that wait for their moment. */
  get held(): ReadonlySignal<number> {
    return this.#held;
  }
  get pinned(): ReadonlySignal<ChatMessage | null> {
    return this.#pinned;
  }
  get modes(): ReadonlySignal<ChatModes> {
    return this.#modes;
  }
  /** People in the chat; `null` until the server has counted. */
  get people(): ReadonlySignal<number | null> {
    return this.#people;
  }
  /** Whether so much is said that not everybody sees everything. */
  get sampled(): ReadonlySignal<boolean> {
    return this.#sampled;
  }
  get view(): ReadonlySignal<ChatView> {
    return this.#view;
  }
  get silence(): ReadonlySignal<Silence | null> {
    return this.#silence;
  }
  get banned(): ReadonlySignal<boolean> {
    return this.#banned;
  }
  get follows(): ReadonlySignal<boolean> {
    return this.#follows;
  }
  /** Whether this person has said anything here. */
  get spoke(): ReadonlySignal<boolean> {
    return this.#spoke;
  }
  /** Another object each time there is something to draw. */
  get burst(): ReadonlySignal<Burst | null> {
    return this.#burst;
  }
  get user(): ReadonlySignal<UserView | null> {
    return this.#session.user;
  }

  total(kind: ReactionKind): number {
    return this.#totals.of(kind);
  }

  message(id: string): ChatMessage | null {
    return this.#log.message(id);
  }

  /** The last speaker first; without this person. */
  someone(): readonly Someone[] {
    const me = this.user.value?.id;
    return [...this.#someone.values()].reverse().filter(({ id }) => id !== me);
  }

  nameOf(user: string): string | null {
    return user === this.user.value?.id ? this.user.value.name : this.#someone.get(user)?.name ?? null;
  }

  /** The moment up to which this person may learn of things: that on their screen, or, where they do not keep to it, now. Media time, ms. */
  seenUpTo(): number {
    const { follows, momentMs, serverMs } = this.#now();
    return follows && momentMs !== null && momentMs !== undefined ? momentMs : serverMs;
  }

  isModerator(): boolean {
    return this.#role.value === 'moderator' || this.#role.value === 'broadcaster';
  }

  // ---- What a person does ----

  /** `false`: too many of one's own messages wait already. */
  say(text: string, replyTo: ReplyTo | null, mentions: readonly string[]): boolean {
    const user = this.user.value;
    const role = this.#role.value;
    if (!user || !role) return false;
    const now = this.#now();
    const pending: Pending = { nonce: drawNonce(), text, mentions, mediaMs: this.#sendableMoment(now), firstSentMs: now.localMs, ...(replyTo ? { replyTo } : {}) };
    if (!this.#log.say(pending, { id: user.id, name: user.name, guest: user.guest, role }, now)) return false;
    this.#spoke.value = true;
    this.#changed();
    void this.#send(pending);
    return true;
  }

  /** A message that failed, once more. */
  retry(nonce: number): void {
    const line = this.#log.pending().find(({ pending }) => pending.nonce === nonce);
    if (line) void this.#send(line.pending);
  }

  drop(nonce: number): void {
    this.#log.drop(nonce);
    this.#changed();
  }

  /** Edits, deletes, pins, modes, restraints. Rejects with a `RequestError`. */
  async change(change: ChatChange): Promise<void> {
    await this.#session.client.request('change_chat', { change });
  }

  /** Puts a message before the moderators. Rejects with a `RequestError`. */
  async report(message: string, reason: ReportReason, note: string): Promise<void> {
    await this.#session.client.request('report_message', { message, reason, ...(note === '' ? {} : { note }) });
  }

  async setView(view: ChatView): Promise<void> {
    await this.change({ change: 'view', view });
    this.#view.value = view;
  }

  setFollows(follows: boolean): void {
    this.#follows.value = follows;
    this.#release();
  }

  /** Shows what waits for its moment, whatever is on the screen. */
  showHeld(): void {
    this.#log.releaseAll(this.#now());
    this.#changed();
  }

  /** `false`: not now, or more than count. */
  react(kind: ReactionKind): boolean {
    if (!this.#role.value || this.#phase.value.kind !== 'open' || !this.#taps.add(kind)) return false;
    this.#totals.tapped(kind, performance.now());
    this.#burst.value = { counts: [{ kind, count: 1 }] };
    this.#tapTimer ??= setTimeout(() => {
      this.#tapTimer = undefined;
      const moment = this.#sendableMoment(this.#now());
      this.#session.client.tell({ type: 'react', taps: this.#taps.take(), ...(moment === null ? {} : { media_time_ms: moment }) });
    }, TAPS_EVERY_MS);
    return true;
  }

  /** A line of the page's own. */
  note(note: Note): void {
    this.#log.note(note, this.#now());
    this.#changed();
  }

  /** A person asks to be let in again. */
  tryAgain(): void {
    if (this.#session.seat.value !== null) void this.#enter(this.#session.seat.value);
  }

  /** A person who was silenced asks to write again: the server does not tell when a silence is lifted, only whether it holds. */
  tryWriting(): void {
    this.#banned.value = false;
    this.#silence.value = null;
  }

  // ---- The seat ----

  #seated(seat: number | null): void {
    clearTimeout(this.#enterTimer);
    if (seat === null) {
      this.#seat = null;
      if (this.#phase.value.kind === 'open') this.#phase.value = { kind: 'reconnecting' };
      return;
    }
    this.#enterAttempt = 0;
    void this.#enter(seat);
  }

  async #enter(seat: number): Promise<void> {
    this.#seat = seat;
    try {
      const since = this.#log.since;
      const { history, role } = await this.#session.client.request('enter_chat', since === null ? {} : { since });
      if (this.#seat !== seat || this.#lifetime.aborted) return;
      this.#enterAttempt = 0;
      batch(() => {
        this.#role.value = role ?? null;
        this.#totals.start(history.reactions);
        for (const message of history.messages) this.#met(message);
        this.#log.enter(history, this.#now(), this.user.value?.id ?? null);
        this.#waits(history);
        this.#phase.value = this.#session.broadcast.value?.state === 'ended' ? { kind: 'ended' } : { kind: 'open' };
      });
      if (this.#view.value !== 'top') this.change({ change: 'view', view: this.#view.value }).catch(() => { this.#view.value = 'top'; });
      this.#changed();
      this.#sendAgain();
    } catch (thrown) {
      if (this.#seat === seat && !this.#lifetime.aborted) this.#refused(asRequestError(thrown), seat);
    }
  }

  #refused(error: RequestError, seat: number): void {
    // A lost connection brings another seat.
    if (error.code === 'disconnected') return;
    if (error.code === 'ended') {
      this.#phase.value = { kind: 'ended' };
      return;
    }
    this.#phase.value = { kind: 'closed', error };
    if (error.retryable) this.#enterTimer = setTimeout(() => void this.#enter(seat), error.retryAfterMs ?? backoffMs(2 + this.#enterAttempt++, Math.random()));
  }

  // ---- Own messages ----

  async #send(pending: Pending): Promise<void> {
    const { nonce, text, replyTo, mentions, mediaMs } = pending;
    this.#log.again(nonce);
    this.#changed();
    try {
      const said = await this.#session.client.request('say', {
        nonce, text,
        ...(replyTo ? { reply_to: replyTo.id } : {}),
        ...(mentions.length > 0 ? { mentions: [...mentions] } : {}),
        ...(mediaMs === null ? {} : { media_time_ms: mediaMs }),
      });
      this.#log.confirm(nonce, said.message, this.#now());
      this.#banned.value = false;
      const { slow_s: slowS } = this.#log.modes;
      if (slowS > 0 && !this.isModerator()) this.#silence.value = { untilMs: performance.now() + slowS * 1000, why: 'slow' };
    } catch (thrown) {
      this.#notSaid(pending, asRequestError(thrown));
    }
    this.#changed();
  }

  #notSaid(pending: Pending, error: RequestError): void {
    const isLost = error.code === 'disconnected' || error.code === 'timeout' || error.code === 'not_joined';
    if (isLost && performance.now() - pending.firstSentMs < RESENT_FOR_MS) {
      // The next seat sends it again under the same nonce; when there is one already, that is now.
      this.#log.wait(pending.nonce);
      if (error.code === 'timeout' && this.#session.client.isOpen) void this.#send(pending);
      return;
    }
    if (error.code === 'held') {
      this.#log.hold(pending.nonce, this.#now());
      return;
    }
    if (error.code === 'banned') this.#banned.value = true;
    if (error.retryAfterMs !== null && (error.code === 'slow_down' || error.code === 'timed_out')) {
      this.#silence.value = { untilMs: performance.now() + error.retryAfterMs, why: error.code === 'slow_down' ? 'slow' : 'timed_out' };
    }
    this.#log.fail(pending.nonce, error, this.#now());
  }

  #sendAgain(): void {
    for (const { pending, state } of this.#log.pending()) {
      if (state !== 'waiting') continue;
      if (performance.now() - pending.firstSentMs < RESENT_FOR_MS) void this.#send(pending);
      else this.#log.fail(pending.nonce, RequestError.disconnected(), this.#now());
    }
  }

  // ---- What the server says ----

  #heard(event: SignalingEvent): void {
    if (event.type === 'chat_resync') {
      for (const message of event.history.messages) this.#met(message);
      this.#totals.start(event.history.reactions);
      this.#log.enter(event.history, this.#now(), this.user.value?.id ?? null);
      this.#waits(event.history);
      this.#changed();
      return;
    }
    if (event.type !== 'chat') return;
    const { events, hidden, reactions, reactions_at_ms: momentMs, viewers, desk } = event.frame;
    if (events) {
      for (const each of events) if (each.event === 'said') this.#met(each.message);
      this.#log.take(events, this.#now(), this.user.value?.id ?? null);
      this.#changed();
    }
    if (hidden) this.#sampling();
    if (viewers) this.#people.value = viewers.count;
    if (reactions) this.#reacted(reactions, momentMs ?? null);
    if (desk) this.#ruled(desk);
  }

  /** What waits for a moderator: everything, for those who are one; else what this person said. */
  #waits({ held = [] }: ChatHistory): void {
    if (this.isModerator()) this.desk.start(held);
    else this.#log.keepHeld(held, this.#now());
  }

  #ruled(events: readonly DeskEvent[]): void {
    for (const event of events) {
      if (this.isModerator()) this.desk.take(event);
      else if (event.event === 'ruled') this.#log.rule(event.nonce, event.ruling, this.#now());
    }
    this.#changed();
  }

  #reacted(counts: readonly ReactionCount[], momentMs: number | null): void {
    const now = this.#now();
    const more = counts.reduce((sum, { kind, count }) => sum + Math.max(0, count - this.#totals.of(kind)), 0);
    if (more > 0) this.heat.add(momentMs ?? now.serverMs, more);
    const grown = this.#totals.grew(counts, now.localMs);
    if (grown.length === 0) return;
    // What is told again names no moment: nobody can have reacted to anything later than now.
    this.#bursts = [...this.#bursts, { counts: grown, momentMs: momentMs ?? now.serverMs, arrivedMs: now.localMs }].slice(-BURSTS_MAX);
    this.#release();
  }

  #sampling(): void {
    this.#sampled.value = true;
    clearTimeout(this.#sampledTimer);
    this.#sampledTimer = setTimeout(() => { this.#sampled.value = false; }, SAMPLED_FOR_MS);
  }

  #met({ author }: ChatMessage): void {
    this.#someone.delete(author.id);
    this.#someone.set(author.id, { id: author.id, name: author.name, role: author.role });
    const oldest = this.#someone.keys().next().value;
    if (this.#someone.size > PEOPLE_MAX && oldest !== undefined) this.#someone.delete(oldest);
  }

  // ---- Time ----

  #now(): Now {
    const localMs = performance.now();
    return {
      localMs,
      serverMs: this.#session.client.clock.serverNow(localMs) ?? Date.now(),
      momentMs: this.#session.moment(localMs),
      follows: this.#follows.value,
    };
  }

  /** The moment on screen, unless the server would take it for nonsense. */
  #sendableMoment({ momentMs, serverMs }: Now): number | null {
    if (momentMs === null || momentMs === undefined) return null;
    return momentMs > serverMs - MOMENT_BACK_MS && momentMs < serverMs + MOMENT_AHEAD_MS ? momentMs : null;
  }

  #release(): void {
    const now = this.#now();
    if (this.#log.release(now)) this.#changed();
    const isDue = ({ momentMs, arrivedMs }: { momentMs: number; arrivedMs: number }): boolean =>
      !now.follows || now.momentMs === null || now.localMs - arrivedMs >= HELD_MAX_MS || (now.momentMs !== undefined && momentMs <= now.momentMs);
    for (const burst of this.#bursts.filter(isDue)) this.#burst.value = { counts: burst.counts };
    this.#bursts = this.#bursts.filter((burst) => !isDue(burst));
    this.#watchHeld();
  }

  #watchHeld(): void {
    if (this.#log.isHolding || this.#bursts.length > 0) {
      this.#releaseTimer ??= setTimeout(() => {
        this.#releaseTimer = undefined;
        this.#release();
      }, RELEASE_EVERY_MS);
    }
  }

  #changed(): void {
    this.#watchHeld();
    if (this.#dirty || this.#lifetime.aborted) return;
    this.#dirty = true;
    this.#nextFrame(() => {
      this.#dirty = false;
      if (this.#lifetime.aborted) return;
      batch(() => {
        // Nobody waits for a slow mode that is over.
        if (this.#modes.value.slow_s > 0 && this.#log.modes.slow_s === 0 && this.#silence.value?.why === 'slow') this.#silence.value = null;
        this.#lines.value = this.#log.lines;
        this.#held.value = this.#log.held;
        this.#pinned.value = this.#log.pinned;
        this.#modes.value = this.#log.modes;
      });
    });
  }
}

/** With the next frame; in a page that nobody sees, where there are none, a little later. */
function soon(run: () => void): void {
  if (document.hidden) setTimeout(run, TAPS_EVERY_MS);
  else requestAnimationFrame(run);
}
