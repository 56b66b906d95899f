import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RequestError } from '../lib/errors';
import type { FriendLists, MessagePage, Person, PrivateMessage } from '../protocol';
import type { Push } from './contract';
import { Friends, type FriendsServer } from './friends';
import type { LinkListener } from './friends_link';

const ann: Person = { id: 'ann', name: 'Ann', picture_version: 0 };
const message = (number: number, from = 'ann'): PrivateMessage => ({ number, from, to: from === 'ann' ? 'me' : 'ann', text: `${number}`, sent_at_ms: number });

/** The server by hand: what it would answer, what it was asked, and its voice. */
class FakeServer implements FriendsServer {
  list: FriendLists = { friends: [], incoming: [], outgoing: [], blocked: [] };
  written: PrivateMessage[] = [];
  asked: string[] = [];
  refuse: RequestError | null = null;
  looking = false;
  #listener: LinkListener | null = null;

  #answer<T>(asked: string, value: T): Promise<T> {
    this.asked.push(asked);
    return this.refuse ? Promise.reject(this.refuse) : Promise.resolve(value);
  }
  listFriends = () => this.#answer('list', this.list);
  befriend = (user: string) => this.#answer(`befriend ${user}`, 'outgoing' as const);
  unfriend = (user: string) => this.#answer(`unfriend ${user}`, undefined);
  block = (user: string) => this.#answer(`block ${user}`, undefined);
  unblock = (user: string) => this.#answer(`unblock ${user}`, undefined);
  listConversations = () => {
    const last = this.written.at(-1);
    return this.#answer('conversations', last ? [{ person: ann, last, unread: 0 }] : []);
  };
  readMessages = (user: string, before: number | null) => {
    const messages = this.written.filter(({ number }) => before === null || number < before).slice(-2);
    const page: MessagePage = { messages, more: (messages[0]?.number ?? 1) > 1, read_up_to: 0, seen_up_to: 0 };
    return this.#answer(`read ${user} ${before}`, page);
  };
  sendMessage = (user: string, nonce: number, text: string) => {
    const sent = { ...message(this.written.length + 1, 'me'), text };
    if (!this.refuse) this.written.push(sent);
    return this.#answer(`send ${user} ${nonce} ${text}`, sent);
  };
  markRead = (user: string, upTo: number) => this.#answer(`mark ${user} ${upTo}`, undefined);
  getPerson = (user: string) => this.#answer(`person ${user}`, { ...ann, id: user });
  openLink = (_me: string, listener: LinkListener) => {
    this.#listener = listener;
    return { look: (on: boolean) => { this.looking = on; } };
  };
  welcome(): void {
    this.#listener?.welcomed();
  }
  push(push: Push): void {
    this.#listener?.heard(push);
  }
}

let server: FakeServer;
let life: AbortController;
let friends: Friends;
const settle = () => vi.advanceTimersByTimeAsync(0);
const numbers = () => friends.mailbox.value.threads.get('ann')?.messages.map(({ number }) => number);

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeServer();
  life = new AbortController();
  friends = new Friends('me', server, life.signal);
});
afterEach(() => {
  life.abort();
  vi.useRealTimers();
});

test('friends are asked for at every welcome, because what was pushed meanwhile is missed', async () => {
  server.welcome();
  await settle();
  expect(friends.loading.value).toBe('ready');
  server.list = { ...server.list, incoming: [{ person: ann, at_ms: 1 }] };
  server.welcome();
  await settle();
  expect(friends.circle.value.incoming).toHaveLength(1);
  expect(friends.badge.value).toBe(1);
});

test('where no connection stands friends are there all the same', async () => {
  await vi.advanceTimersByTimeAsync(3_000);
  expect(friends.loading.value).toBe('ready');
});

test('a server that does not answer is asked again by itself, and what is known stays meanwhile', async () => {
  server.refuse = RequestError.timeout();
  server.welcome();
  await settle();
  expect(friends.loading.value).toBe('failed');
  server.refuse = null;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(friends.loading.value).toBe('ready');
  server.refuse = RequestError.timeout();
  server.welcome();
  await settle();
  expect(friends.loading.value).toBe('ready');
});

test('what a person does shows at once and is taken back when it is refused', async () => {
  server.welcome();
  await settle();
  const asked = friends.befriend(ann);
  expect(friends.circle.value.outgoing.map(({ id }) => id)).toEqual(['ann']);
  await asked;
  server.push({ type: 'friend_changed', person: { ...ann, relation: 'friend' } });
  expect(friends.circle.value.friends).toHaveLength(1);
  server.refuse = RequestError.disconnected();
  const blocked = friends.block(ann);
  expect(friends.circle.value.friends).toHaveLength(0);
  await expect(blocked).rejects.toMatchObject({ code: 'disconnected' });
  expect(friends.circle.value.friends).toHaveLength(1);
});

test('presence is asked for while at least one looks', () => {
  const [first, second] = [new AbortController(), new AbortController()];
  friends.look(first.signal);
  friends.look(second.signal);
  first.abort();
  expect(server.looking).toBe(true);
  second.abort();
  expect(server.looking).toBe(false);
});

test('a message that was not sent is sent again as the same one', async () => {
  server.refuse = RequestError.timeout();
  await expect(friends.send(ann, 'hello', 7)).rejects.toMatchObject({ code: 'timeout' });
  expect(friends.mailbox.value.threads.get('ann')?.drafts).toEqual([{ nonce: 7, text: 'hello', failed: true }]);
  server.refuse = null;
  await friends.send(ann, 'hello', 7);
  expect(server.asked.filter((asked) => asked.startsWith('send'))).toEqual(['send ann 7 hello', 'send ann 7 hello']);
  expect(friends.mailbox.value.threads.get('ann')?.drafts).toEqual([]);
  expect(numbers()).toEqual([1]);
  // The push of one's own message says nothing new.
  server.push({ type: 'private_message', person: ann, message: { ...message(1, 'me'), text: 'hello' } });
  expect(numbers()).toEqual([1]);
});

test('a message that came back although its answer was lost is sent', async () => {
  server.refuse = RequestError.timeout();
  const sending = friends.send(ann, 'hello', 7);
  server.push({ type: 'private_message', person: ann, message: { ...message(1, 'me'), text: 'hello' } });
  await sending;
  expect(friends.mailbox.value.threads.get('ann')?.drafts).toEqual([]);
  expect(numbers()).toEqual([1]);
});

test('a conversation is read when it is opened, further back on demand, and mended after a gap', async () => {
  server.written = [1, 2, 3, 4].map((number) => message(number));
  server.welcome();
  await settle();
  await friends.open('ann');
  expect(numbers()).toEqual([3, 4]);
  await friends.older('ann');
  expect(numbers()).toEqual([1, 2, 3, 4]);
  await friends.open('ann');
  expect(server.asked.filter((asked) => asked.startsWith('read'))).toHaveLength(2);
  // Two were pushed while the connection was away.
  server.written.push(message(5), message(6), message(7));
  server.push({ type: 'private_message', person: ann, message: message(7) });
  await settle();
  expect(numbers()).toEqual([6, 7]);
});

test('what is on screen is read, once', async () => {
  server.written = [message(1)];
  server.welcome();
  await settle();
  await friends.open('ann');
  server.push({ type: 'private_message', person: ann, message: message(2) });
  await settle();
  expect(friends.badge.value).toBe(1);
  await friends.seen('ann');
  await friends.seen('ann');
  expect(server.asked.filter((asked) => asked.startsWith('mark'))).toEqual(['mark ann 2']);
  expect(friends.badge.value).toBe(0);
});

test('whoever is none of ours is looked up for a conversation', async () => {
  server.welcome();
  await settle();
  expect(friends.person('bob')).toBeNull();
  await friends.open('bob');
  expect(friends.person('bob')?.name).toBe('Ann');
});

test('what is pushed while the lists are on their way is not forgotten for older lists, and counted once', async () => {
  server.welcome();
  server.push({ type: 'private_message', person: ann, message: message(1) });
  server.push({ type: 'friend_changed', person: { ...ann, relation: 'incoming' } });
  await settle();
  expect(friends.mailbox.value.conversations.map(({ last, unread }) => [last.number, unread])).toEqual([[1, 1]]);
  expect(friends.circle.value.incoming).toHaveLength(1);
  server.written = [message(1), message(2)];
  server.welcome();
  server.push({ type: 'private_message', person: ann, message: message(2) });
  await settle();
  expect(friends.mailbox.value.conversations.map(({ last }) => last.number)).toEqual([2]);
});
