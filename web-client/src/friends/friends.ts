// Friends, requests and private messages of whoever is signed in: asked for once, kept right by what is pushed, asked for again after a gap.
// Knows no looks. What a person does shows at once and is taken back when the server refuses it.
import { type ReadonlySignal, type Signal, batch, computed, signal } from '@preact/signals';
import { backoffMs } from '../lib/backoff';
import { type RequestError, asRequestError } from '../lib/errors';
import type { Conversation, FriendLists, MessagePage, Person, PrivateMessage, Relation } from '../protocol';
import { type Circle, NOBODY, changed, circleOf, find, onlineNow, presenceOf } from './circle';
import type { Push } from './contract';
import * as api from './friends_api';
import { type Link, type LinkListener, openLink } from './friends_link';
import { type Mailbox, arrived, drafted, emptyMailbox, isBehind, isDrafted, listed, pageRead, read, undrafted, unreadCount } from './mailbox';

/** What is asked of the server. */
export type FriendsServer = {
  listFriends: () => Promise<FriendLists>;
  befriend: (user: string) => Promise<Relation>;
  unfriend: (user: string) => Promise<void>;
  block: (user: string) => Promise<void>;
  unblock: (user: string) => Promise<void>;
  listConversations: () => Promise<Conversation[]>;
  readMessages: (user: string, before: number | null) => Promise<MessagePage>;
  sendMessage: (user: string, nonce: number, text: string) => Promise<PrivateMessage>;
  markRead: (user: string, upTo: number) => Promise<void>;
  getPerson: (user: string) => Promise<Person>;
  openLink: (me: string, listener: LinkListener, lifetime: AbortSignal) => Link;
};

/** Friends are asked for once the connection stands, so that nothing falls between the answer and what is pushed; without one after this long, ms. */
const ASK_WITHOUT_LINK_MS = 3_000;

/** Of the lists, and of each thread. */
export type Loading = 'asking' | 'ready' | 'failed';

export class Friends {
  readonly #server: FriendsServer;
  readonly #lifetime: AbortSignal;
  readonly #link: Link;
  readonly #loading = signal<Loading>('asking');
  readonly #circle = signal<Circle>(NOBODY);
  readonly #mailbox: Signal<Mailbox>;
  readonly #threadStates = signal<ReadonlyMap<string, Loading>>(new Map());
  /** Persons that are none of ours, looked up for a conversation. */
  readonly #strangers = signal<ReadonlyMap<string, Person>>(new Map());
  readonly #badge = computed(() => this.#circle.value.incoming.length + unreadCount(this.#mailbox.value));
  #lookers = 0;
  /** What was pushed while the lists were asked for: they may be older, so it is taken again behind them. */
  #meanwhile: Push[] | null = null;
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly me: string, server: FriendsServer, lifetime: AbortSignal) {
    this.#server = server;
    this.#lifetime = lifetime;
    this.#mailbox = signal(emptyMailbox(me));
    lifetime.addEventListener('abort', () => clearTimeout(this.#timer), { once: true });
    this.#link = server.openLink(me, { heard: (push) => this.#heard(push), welcomed: () => void this.#load() }, lifetime);
    this.#timer = setTimeout(() => void this.#load(), ASK_WITHOUT_LINK_MS);
  }

  get loading(): ReadonlySignal<Loading> {
    return this.#loading;
  }
  get circle(): ReadonlySignal<Circle> {
    return this.#circle;
  }
  get mailbox(): ReadonlySignal<Mailbox> {
    return this.#mailbox;
  }
  /** Requests that wait for an answer, and conversations with something unread. */
  get badge(): ReadonlySignal<number> {
    return this.#badge;
  }

  threadState(user: string): Loading {
    return this.#threadStates.value.get(user) ?? 'asking';
  }

  /** What is known of somebody; `null`: not asked yet, or nobody. */
  person(id: string): Person | null {
    return find(this.#circle.value, id) ?? this.#mailbox.value.conversations.find(({ person }) => person.id === id)?.person ?? this.#strangers.value.get(id) ?? null;
  }

  /** Presence is pushed only to those who look. */
  look(until: AbortSignal): void {
    if (until.aborted) return;
    this.#lookers += 1;
    this.#link.look(true);
    until.addEventListener('abort', () => {
      this.#lookers -= 1;
      if (this.#lookers === 0) this.#link.look(false);
    }, { once: true });
  }

  again(): void {
    this.#loading.value = 'asking';
    void this.#load();
  }

  /** Asks for friendship, or accepts. Rejects with a `RequestError`. */
  befriend(person: Person): Promise<void> {
    const expected: Relation = find(this.#circle.value, person.id)?.relation === 'incoming' || person.relation === 'incoming' ? 'friend' : 'outgoing';
    return this.#become(person, expected, async () => {
      const relation = await this.#server.befriend(person.id);
      this.#circle.value = changed(this.#circle.value, { ...person, relation });
    });
  }

  /** Removes a friend, refuses a request, or withdraws one. Rejects with a `RequestError`. */
  unfriend(person: Person): Promise<void> {
    return this.#become(person, 'none', () => this.#server.unfriend(person.id));
  }

  block(person: Person): Promise<void> {
    return this.#become(person, 'blocked', () => this.#server.block(person.id));
  }

  unblock(person: Person): Promise<void> {
    return this.#become(person, 'none', () => this.#server.unblock(person.id));
  }

  /** Shows it at once; where the server refuses, the person is again what they were. */
  async #become(person: Person, relation: Relation, ask: () => Promise<void>): Promise<void> {
    const before = find(this.#circle.value, person.id) ?? { ...person, relation: 'none' as const };
    this.#circle.value = changed(this.#circle.value, { ...person, relation });
    try {
      await ask();
    } catch (thrown) {
      this.#circle.value = changed(this.#circle.value, before);
      throw thrown;
    }
  }

  /** Somebody opens a conversation: reads the newest page unless it is known. */
  async open(user: string): Promise<void> {
    if (!this.person(user)) await this.#lookUp(user);
    if (this.threadState(user) === 'ready' && !isBehind(this.#mailbox.value, user)) return;
    await this.#readPage(user, null);
  }

  /** What was written before what is shown. */
  async older(user: string): Promise<void> {
    const first = this.#mailbox.value.threads.get(user)?.messages[0]?.number;
    if (first !== undefined) await this.#readPage(user, first);
  }

  async #lookUp(user: string): Promise<void> {
    await this.#server.getPerson(user).then(
      (person) => { this.#strangers.value = new Map(this.#strangers.value).set(user, person); },
      // Nobody, or hidden from us; the conversation says so.
      () => undefined,
    );
  }

  async #readPage(user: string, before: number | null): Promise<void> {
    try {
      const page = await this.#server.readMessages(user, before);
      batch(() => {
        this.#mailbox.value = pageRead(this.#mailbox.value, user, page);
        this.#setThread(user, 'ready');
      });
    } catch {
      // What is shown stays; the way to ask again is drawn where there is nothing to show.
      if (this.threadState(user) !== 'ready') this.#setThread(user, 'failed');
    }
  }

  #setThread(user: string, state: Loading): void {
    this.#threadStates.value = new Map(this.#threadStates.value).set(user, state);
  }

  retryThread(user: string): void {
    this.#setThread(user, 'asking');
    void this.open(user);
  }

  /** The conversation is on screen: all of it is read. */
  async seen(user: string): Promise<void> {
    const thread = this.#mailbox.value.threads.get(user);
    const last = thread?.messages.at(-1)?.number ?? 0;
    const unread = this.#mailbox.value.conversations.find(({ person }) => person.id === user)?.unread ?? 0;
    if (last === 0 || (unread === 0 && last <= (thread?.readUpTo ?? 0))) return;
    this.#mailbox.value = read(this.#mailbox.value, user, this.me, last);
    // Not being able to say so leaves it unread on other devices; the next message says it again.
    await this.#server.markRead(user, last).catch(() => undefined);
  }

  /** Rejects with a `RequestError`; the draft stays and can be sent again, as the same message. */
  async send(person: Person, text: string, nonce: number): Promise<void> {
    this.#mailbox.value = drafted(this.#mailbox.value, person.id, { nonce, text, failed: false });
    try {
      const message = await this.#server.sendMessage(person.id, nonce, text);
      batch(() => {
        this.#mailbox.value = arrived(undrafted(this.#mailbox.value, person.id, nonce), person, message);
      });
      if (isBehind(this.#mailbox.value, person.id)) await this.#readPage(person.id, null);
    } catch (thrown) {
      // It has come back from the server already: only the answer was lost.
      if (!isDrafted(this.#mailbox.value, person.id, nonce)) return;
      this.#mailbox.value = drafted(this.#mailbox.value, person.id, { nonce, text, failed: true });
      throw thrown;
    }
  }

  giveUp(user: string, nonce: number): void {
    this.#mailbox.value = undrafted(this.#mailbox.value, user, nonce);
  }

  #heard(push: Push): void {
    this.#meanwhile?.push(push);
    this.#take(push);
    if (push.type === 'private_message') void this.#mendThread(push.person.id);
  }

  #take(push: Push): void {
    batch(() => {
      switch (push.type) {
        case 'friends_online':
          this.#circle.value = onlineNow(this.#circle.value, push.friends);
          break;
        case 'presence':
          this.#circle.value = presenceOf(this.#circle.value, push.user, push.presence);
          break;
        case 'friend_changed':
          this.#circle.value = changed(this.#circle.value, push.person);
          break;
        case 'private_message':
          this.#mailbox.value = arrived(this.#mailbox.value, push.person, push.message);
          break;
        case 'messages_read':
          this.#mailbox.value = read(this.#mailbox.value, push.user, push.reader, push.up_to);
          break;
      }
    });
  }

  /** An open thread that has missed something is read again. */
  async #mendThread(user: string): Promise<void> {
    if (this.threadState(user) === 'ready' && isBehind(this.#mailbox.value, user)) await this.#readPage(user, null);
  }

  async #load(): Promise<void> {
    clearTimeout(this.#timer);
    const meanwhile: Push[] = [];
    this.#meanwhile = meanwhile;
    try {
      const [list, conversations] = await Promise.all([this.#server.listFriends(), this.#server.listConversations()]);
      if (this.#lifetime.aborted) return;
      batch(() => {
        this.#circle.value = circleOf(list);
        this.#mailbox.value = listed(this.#mailbox.value, conversations);
        meanwhile.forEach((push) => this.#take(push));
        this.#loading.value = 'ready';
      });
      this.#attempt = 0;
      await Promise.all(conversations.map(({ person }) => this.#mendThread(person.id)));
    } catch (thrown) {
      if (!this.#lifetime.aborted) this.#failed(asRequestError(thrown));
    } finally {
      if (this.#meanwhile === meanwhile) this.#meanwhile = null;
    }
  }

  #failed(error: RequestError): void {
    if (this.#loading.value !== 'ready') this.#loading.value = 'failed';
    if (error.retryable) this.#timer = setTimeout(() => void this.#load(), backoffMs(3 + this.#attempt++, Math.random()));
  }
}

/** With the real server. */
export function friendsOf(me: string, lifetime: AbortSignal): Friends {
  return new Friends(me, { ...api, openLink }, lifetime);
}
