// What a chat shows, in the order in which it came up on this screen. Pure: takes what the server says and the time, no timers, no network.
//
//   history, events ─▶ take ─▶ held (until its moment is on screen) ─▶ lines      own: say ─▶ sending ─▶ confirmed or failed, in its place
//
// Invariants: a message is in `lines` at most once, whatever comes twice; nothing is shown before its moment, and nothing later than
// `HELD_MAX_MS` after it came; everything is bounded.
import type { ChatAuthor, ChatEvent, ChatHistory, ChatMessage, ChatModes, HeldMessage, ReplyTo, Ruling } from '../protocol';
import { RequestError } from '../lib/errors';
import { compareIds } from './ids';

/** A message waits for its moment this long at most, ms: a picture further behind than that has lost touch with the talk anyway. */
export const HELD_MAX_MS = 10_000;
/** Lines kept; more than anybody scrolls back through while a match goes on. Older ones go. */
export const LINES_KEPT = 1_000;
/** Messages that wait for their moment: ten seconds of the liveliest chat that is shown whole. More: the oldest show early. */
export const HELD_MAX = 1_000;
/** After a gap this many known messages are asked for again, so that what was edited or removed meanwhile is mended too. */
export const RECHECKED = 100;
/** Own messages that wait for the server. More: none is taken. */
export const PENDING_MAX = 20;

export type Note =
  | { kind: 'modes'; before: ChatModes; after: ChatModes }
  /** Messages in between are no longer kept by the server. */
  | { kind: 'gap' }
  /** Something the broadcaster marked. */
  | { kind: 'moment'; label: string; time: string };

export type Pending = { nonce: number; text: string; replyTo?: ReplyTo; mentions: readonly string[]; mediaMs: number | null; firstSentMs: number };

/** `waiting`: sent again when the connection is back. `held`: the server has it, and a moderator looks at it before anybody else. */
export type PendingState = 'sending' | 'waiting' | 'held' | 'failed';

export type Line =
  | { kind: 'message'; key: string; message: ChatMessage; removed: boolean }
  | { kind: 'pending'; key: string; pending: Pending; author: ChatAuthor; sentAtMs: number; state: PendingState; error: RequestError | null }
  | { kind: 'note'; key: string; note: Note; atMs: number };

/** What is true at the moment of a call. */
export type Now = {
  /** `performance.now()`. */
  localMs: number;
  /** The server's clock, ms since the Unix epoch. */
  serverMs: number;
  /** The media time that this person is at; `null`: none, nothing to wait for; `undefined`: about to be known. */
  momentMs: number | null | undefined;
  /** Whether messages wait for their moment at all. */
  follows: boolean;
};

type Held = { event: ChatEvent; momentMs: number | null; arrivedMs: number };

const NO_MODES: ChatModes = { slow_s: 0, audience: 'everyone', emote_only: false, review: false };

export class ChatLog {
  modes: ChatModes = NO_MODES;
  pinned: ChatMessage | null = null;
  #lines: Line[] = [];
  /** Lines that have gone from the front, ever. */
  #gone = 0;
  /** Place of each message, counted from the first line ever. */
  #places = new Map<string, number>();
  #held: Held[] = [];
  /** Own messages that came back while it is not known yet which of ours they are. */
  #own: ChatMessage[] = [];
  #last: string | null = null;
  #entered = false;
  #notes = 0;

  /** Never changed, only replaced. */
  get lines(): readonly Line[] {
    return this.#lines;
  }

  /** Messages that wait for their moment. */
  get held(): number {
    return this.#held.reduce((count, { event }) => count + (event.event === 'said' ? 1 : 0), 0);
  }

  /** Whether anything waits for its moment. */
  get isHolding(): boolean {
    return this.#held.length > 0;
  }

  /** Where history should begin: a little before what was seen last. `null`: nothing was seen. */
  get since(): string | null {
    const shown = this.#lines.flatMap((line) => (line.kind === 'message' ? [line.message.id] : []));
    const known = [...shown, ...this.#held.flatMap(({ event }) => (event.event === 'said' ? [event.message.id] : []))].sort(compareIds);
    return known[Math.max(0, known.length - RECHECKED)] ?? null;
  }

  message(id: string): ChatMessage | null {
    const line = this.#lineOf(id);
    return line?.kind === 'message' && !line.removed ? line.message : null;
  }

  /** The chat as the server has it: at first, after a gap, or instead of what was missed. `me`: this person's id. */
  enter(history: ChatHistory, now: Now, me: string | null): void {
    const first = history.messages[0];
    if (history.gap && first && this.#last !== null && compareIds(first.id, this.#last) > 0) this.#note({ kind: 'gap' }, now);
    if (first) this.#mend(history.messages, first.id);
    if (this.#entered) this.#setModes(history.modes, now);
    else this.modes = history.modes;
    this.#entered = true;
    this.pinned = null;
    for (const message of history.messages) this.#said(message, now, me);
    if (history.pinned) this.#hold({ event: { event: 'pinned', message: history.pinned }, momentMs: history.pinned.media_time_ms ?? null, arrivedMs: now.localMs });
    this.release(now);
  }

  /** What happened, in order. */
  take(events: readonly ChatEvent[], now: Now, me: string | null): void {
    for (const event of events) {
      switch (event.event) {
        case 'said':
          this.#said(event.message, now, me);
          break;
        case 'edited':
          // Nobody says at which moment a message was changed: no later than now.
          this.#hold({ event, momentMs: now.serverMs, arrivedMs: now.localMs });
          break;
        case 'pinned':
          if (event.message) this.#hold({ event, momentMs: event.message.media_time_ms ?? null, arrivedMs: now.localMs });
          else this.#show(event, now);
          break;
        case 'deleted':
        case 'modes':
        case 'cleared':
          this.#show(event, now);
          break;
      }
    }
    this.release(now);
  }

  /** Shows what is due. Whether anything was. */
  release(now: Now): boolean {
    if (this.#held.length === 0) return false;
    const due = this.#held.filter((held) => isDue(held, now));
    if (due.length === 0) return false;
    this.#held = this.#held.filter((held) => !due.includes(held));
    for (const { event } of due) this.#show(event, now);
    return true;
  }

  /** Shows everything that waits. */
  releaseAll(now: Now): void {
    const due = this.#held;
    this.#held = [];
    for (const { event } of due) this.#show(event, now);
  }

  /** Something to read that nobody said. */
  note(note: Note, now: Now): void {
    this.#note(note, now);
  }

  // ---- Own messages ----

  /** `false`: too many wait already. */
  say(pending: Pending, author: ChatAuthor, now: Now): boolean {
    if (this.pending().length >= PENDING_MAX) return false;
    this.#append({ kind: 'pending', key: `own-${pending.nonce}`, pending, author, sentAtMs: now.serverMs, state: 'sending', error: null });
    return true;
  }

  pending(): readonly Extract<Line, { kind: 'pending' }>[] {
    return this.#lines.filter((line) => line.kind === 'pending');
  }

  /** The server has it under this id. */
  confirm(nonce: number, id: string, now: Now): void {
    const at = this.#pendingAt(nonce);
    const line = this.#lines[at];
    if (line?.kind !== 'pending') return;
    const back = this.#own.find((message) => message.id === id);
    this.#own = this.#own.filter((message) => message.id !== id);
    if (this.#places.has(id)) {
      // It was confirmed before, and is there.
      this.#replace(at, null);
    } else {
      const { pending, author, key, sentAtMs } = line;
      const message: ChatMessage = back ?? {
        id, author, text: pending.text, sent_at_ms: sentAtMs,
        ...(pending.mediaMs === null ? {} : { media_time_ms: pending.mediaMs }),
        ...(pending.replyTo ? { reply_to: pending.replyTo } : {}),
        ...(pending.mentions.length > 0 ? { mentions: [...pending.mentions] } : {}),
      };
      this.#replace(at, { kind: 'message', key, message, removed: false });
      this.#places.set(id, this.#gone + at);
      this.#seen(id);
    }
    this.#settleOwn(now);
  }

  fail(nonce: number, error: RequestError, now: Now): void {
    this.#setPending(nonce, 'failed', error);
    this.#settleOwn(now);
  }

  wait(nonce: number): void {
    this.#setPending(nonce, 'waiting', null);
  }

  /** It is on its way again. */
  again(nonce: number): void {
    this.#setPending(nonce, 'sending', null);
  }

  /** A moderator looks at it first. */
  hold(nonce: number, now: Now): void {
    this.#setPending(nonce, 'held', null);
    this.#settleOwn(now);
  }

  /** What became of an own message that was held: one that is said comes like any other. */
  rule(nonce: number, ruling: Ruling, now: Now): void {
    const line = this.#lines[this.#pendingAt(nonce)];
    if (line?.kind !== 'pending' || line.state !== 'held') return;
    switch (ruling) {
      case 'approved': this.drop(nonce); break;
      case 'refused': this.fail(nonce, new RequestError('turned_down', 'A moderator decided against it.', false), now); break;
      case 'expired': this.fail(nonce, new RequestError('not_looked_at', 'No moderator looked at it in time.', false), now); break;
    }
  }

  /** Which of this person's messages a moderator still has to look at, after a time without a connection or from another page. */
  keepHeld(held: readonly HeldMessage[], now: Now): void {
    for (const line of this.pending()) {
      if (line.state === 'held' && !held.some(({ nonce }) => nonce === line.pending.nonce)) this.#missedRuling(line, now);
    }
    for (const { nonce, text, author, held_at_ms: sentAtMs, media_time_ms: mediaMs = null, mentions = [], reply_to: replyTo } of held) {
      if (this.#pendingAt(nonce) >= 0) this.#setPending(nonce, 'held', null);
      else {
        const pending = { nonce, text, mentions, mediaMs, firstSentMs: now.localMs, ...(replyTo ? { replyTo } : {}) };
        this.#append({ kind: 'pending', key: `own-${nonce}`, pending, author, sentAtMs, state: 'held', error: null });
      }
    }
  }

  /** Nobody said what became of it: approved, it stands in the history as said since, by the same person. */
  #missedRuling({ pending, author, sentAtMs }: Extract<Line, { kind: 'pending' }>, now: Now): void {
    const isIt = ({ text, author: { id }, sent_at_ms: saidAtMs }: ChatMessage): boolean => text === pending.text && id === author.id && saidAtMs >= sentAtMs;
    const isSaid = this.#lines.some((line) => line.kind === 'message' && isIt(line.message));
    this.rule(pending.nonce, isSaid ? 'approved' : 'expired', now);
  }

  /** The person gives it up. */
  drop(nonce: number): void {
    const at = this.#pendingAt(nonce);
    if (at >= 0) this.#replace(at, null);
  }

  // ---- Inside ----

  #said(message: ChatMessage, now: Now, me: string | null): void {
    if (this.#knows(message.id)) return;
    this.#seen(message.id);
    // Which of our own messages this is, the answer to it will say.
    if (message.author.id === me && this.#isSending()) {
      this.#own.push(message);
      return;
    }
    this.#hold({ event: { event: 'said', message }, momentMs: message.media_time_ms ?? null, arrivedMs: now.localMs });
  }

  #knows(id: string): boolean {
    const oldest = this.#gone > 0 ? this.#lines.find((line) => line.kind === 'message') : undefined;
    return this.#places.has(id)
      || this.#held.some(({ event }) => event.event === 'said' && event.message.id === id)
      || this.#own.some((message) => message.id === id)
      // Let go of long ago.
      || (oldest?.kind === 'message' && compareIds(id, oldest.message.id) < 0);
  }

  #seen(id: string): void {
    if (this.#last === null || compareIds(id, this.#last) > 0) this.#last = id;
  }

  #settleOwn(now: Now): void {
    if (this.#own.length === 0 || this.#isSending()) return;
    const own = this.#own;
    this.#own = [];
    for (const message of own) this.#show({ event: 'said', message }, now);
  }

  /** Whether the answer to an own message is still to come. */
  #isSending(): boolean {
    return this.pending().some(({ state }) => state === 'sending' || state === 'waiting');
  }

  #hold(held: Held): void {
    this.#held.push(held);
    if (this.#held.length > HELD_MAX) this.#held.sort((a, b) => a.arrivedMs - b.arrivedMs)[0]!.arrivedMs = -Infinity;
  }

  #show(event: ChatEvent, now: Now): void {
    switch (event.event) {
      case 'said':
        this.#places.set(event.message.id, this.#gone + this.#lines.length);
        this.#append({ kind: 'message', key: event.message.id, message: event.message, removed: false });
        break;
      case 'edited':
        this.#edit(event.message, event.text);
        break;
      case 'deleted':
        this.#held = this.#held.filter(({ event: held }) => !(held.event === 'said' && held.message.id === event.message));
        this.#remove(event.message);
        break;
      case 'pinned':
        this.pinned = event.message ?? null;
        break;
      case 'modes':
        this.#setModes(event.modes, now);
        break;
      case 'cleared':
        this.#held = this.#held.filter(({ event: held }) => !(held.event === 'said' && held.message.author.id === event.user));
        for (const line of this.#lines) {
          if (line.kind === 'message' && line.message.author.id === event.user) this.#remove(line.message.id);
        }
        if (this.pinned?.author.id === event.user) this.pinned = null;
        break;
    }
  }

  #edit(id: string, text: string): void {
    const place = this.#places.get(id);
    const line = this.#lineOf(id);
    if (place !== undefined && line?.kind === 'message') this.#replace(place - this.#gone, { ...line, message: { ...line.message, text, edited: true } });
    this.#held = this.#held.map((held) =>
      held.event.event === 'said' && held.event.message.id === id
        ? { ...held, event: { event: 'said', message: { ...held.event.message, text, edited: true } } }
        : held);
    if (this.pinned?.id === id) this.pinned = { ...this.pinned, text, edited: true };
  }

  #remove(id: string): void {
    const place = this.#places.get(id);
    const line = this.#lineOf(id);
    if (place !== undefined && line?.kind === 'message' && !line.removed) this.#replace(place - this.#gone, { ...line, removed: true });
    if (this.pinned?.id === id) this.pinned = null;
  }

  #setModes(modes: ChatModes, now: Now): void {
    const before = this.modes;
    this.modes = modes;
    if (JSON.stringify(before) !== JSON.stringify(modes)) this.#note({ kind: 'modes', before, after: modes }, now);
  }

  /** Known messages from `from` on, as the server has them now: changed, or no longer there. */
  #mend(messages: readonly ChatMessage[], from: string): void {
    const current = new Map(messages.map((message) => [message.id, message]));
    for (const line of this.#lines) {
      if (line.kind !== 'message' || compareIds(line.message.id, from) < 0) continue;
      const now = current.get(line.message.id);
      if (!now) this.#remove(line.message.id);
      else if (now.text !== line.message.text) this.#edit(now.id, now.text);
    }
    this.#held = this.#held.filter(({ event }) => event.event !== 'said' || compareIds(event.message.id, from) < 0 || current.has(event.message.id));
  }

  #note(note: Note, now: Now): void {
    this.#append({ kind: 'note', key: `note-${this.#notes++}`, note, atMs: now.serverMs });
  }

  #append(line: Line): void {
    this.#lines = [...this.#lines, line];
    if (this.#lines.length <= LINES_KEPT) return;
    // A tenth at once, so that a lively chat does not copy its lines for every message.
    const going = this.#lines.slice(0, LINES_KEPT / 10);
    this.#lines = this.#lines.slice(going.length);
    this.#gone += going.length;
    for (const gone of going) if (gone.kind === 'message') this.#places.delete(gone.message.id);
  }

  #lineOf(id: string): Line | undefined {
    const place = this.#places.get(id);
    return place === undefined ? undefined : this.#lines[place - this.#gone];
  }

  #pendingAt(nonce: number): number {
    return this.#lines.findLastIndex((line) => line.kind === 'pending' && line.pending.nonce === nonce);
  }

  #setPending(nonce: number, state: PendingState, error: RequestError | null): void {
    const at = this.#pendingAt(nonce);
    const line = this.#lines[at];
    if (line?.kind === 'pending') this.#replace(at, { ...line, state, error });
  }

  #replace(at: number, line: Line | null): void {
    if (line) {
      this.#lines = this.#lines.with(at, line);
      return;
    }
    this.#lines = this.#lines.filter((_, index) => index !== at);
    for (const [id, place] of this.#places) if (place > this.#gone + at) this.#places.set(id, place - 1);
  }
}

function isDue({ momentMs, arrivedMs }: Held, now: Now): boolean {
  if (!now.follows || momentMs === null || now.momentMs === null || now.localMs - arrivedMs >= HELD_MAX_MS) return true;
  return momentMs <= (now.momentMs ?? now.serverMs - HELD_MAX_MS);
}
