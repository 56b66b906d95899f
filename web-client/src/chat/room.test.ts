import { signal } from '@preact/signals';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeSocket } from '../lib/fake_socket';
import { SignalingClient } from '../lib/signaling';
import type { BroadcastView, ChatEvent, ChatHistory, ChatMessage, ClientMessage, ErrorCode } from '../protocol';
import { ChatRoom, type ChatSession } from './room';

const SERVER_MS = 1_700_000_000_000;
let life: AbortController;
let socket: FakeSocket;
let seat: ReturnType<typeof signal<number | null>>;
let broadcast: ReturnType<typeof signal<BroadcastView | null>>;
let moment: number | null | undefined;

const history = (messages: ChatMessage[] = []): ChatHistory => ({ messages, gap: false, modes: { slow_s: 0, audience: 'everyone', emote_only: false, review: false }, reactions: [] });
const message = (number: number, changes: Partial<ChatMessage> = {}): ChatMessage => ({
  id: `7-${number}`, author: { id: 'n', name: 'Noor', role: 'viewer', guest: false }, text: `text ${number}`, sent_at_ms: SERVER_MS, ...changes,
});

function room(): ChatRoom {
  const client = new SignalingClient({ url: 'ws://test', lifetime: life.signal, openSocket: () => (socket = new FakeSocket()) as unknown as WebSocket });
  socket.welcome();
  const session = { client, user: client.user, seat, broadcast, moment: () => moment } as ChatSession;
  return new ChatRoom({ session, lifetime: life.signal, follows: true, asModerator: (ask) => ask({ token: 't' }), nextFrame: (run) => run() });
}

const asked = <T extends ClientMessage['type']>(type: T): Extract<ClientMessage, { type: T }>[] =>
  socket.sent.filter((sent): sent is Extract<ClientMessage, { type: T }> => sent.type === type);
const settle = async (): Promise<void> => { await vi.advanceTimersByTimeAsync(0); };
async function letIn(messages: ChatMessage[] = []): Promise<void> {
  socket.say({ type: 'chat_entered', id: asked('enter_chat').at(-1)?.id ?? -1, history: history(messages), role: 'viewer' });
  await settle();
}
const happens = (...events: ChatEvent[]): void => socket.say({ type: 'chat', frame: { events } });
function refuse(code: ErrorCode, retryAfterMs?: number): void {
  socket.say({ type: 'error', id: asked('say').at(-1)?.id ?? -1, error: { code, message: 'No.', retryable: true, ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }) } });
}
const texts = (chat: ChatRoom): string[] => chat.lines.value.map((line) => (line.kind === 'message' ? line.message.text : line.kind === 'pending' ? `${line.pending.text} (${line.state})` : line.note.kind));

beforeEach(() => {
  vi.useFakeTimers();
  life = new AbortController();
  seat = signal<number | null>(null);
  broadcast = signal<BroadcastView | null>(null);
  moment = null;
});
afterEach(() => {
  life.abort();
  vi.useRealTimers();
});

test('a seat is taken, and taken again from what was seen after the connection was lost', async () => {
  const chat = room();
  expect(chat.phase.value.kind).toBe('connecting');
  seat.value = 1;
  expect(asked('enter_chat')).toMatchObject([{ type: 'enter_chat' }]);
  expect(asked('enter_chat')[0]).not.toHaveProperty('since');
  await letIn([message(1)]);
  expect([chat.phase.value.kind, chat.role.value]).toEqual(['open', 'viewer']);
  seat.value = null;
  expect(chat.phase.value.kind).toBe('reconnecting');
  seat.value = 2;
  expect(asked('enter_chat')[1]).toMatchObject({ since: '7-1' });
  await letIn([message(2)]);
  happens({ event: 'said', message: message(2) }, { event: 'said', message: message(3) });
  expect(texts(chat)).toEqual(['text 1', 'text 2', 'text 3']);
});

test('what is said is pending, then there; what was lost is said again under the same nonce', async () => {
  const chat = room();
  seat.value = 1;
  await letIn();
  chat.say('first', null, []);
  expect(texts(chat)).toEqual(['first (sending)']);
  socket.say({ type: 'said', id: asked('say')[0]?.id ?? -1, message: '7-1' });
  await settle();
  chat.say('second', null, ['n']);
  expect(asked('say')[1]).toMatchObject({ text: 'second', mentions: ['n'] });
  const before = asked('say')[1];
  socket.lose();
  seat.value = null;
  await settle();
  expect(texts(chat)).toEqual(['first', 'second (waiting)']);
  await vi.advanceTimersByTimeAsync(1_000);
  socket.welcome(true);
  seat.value = 2;
  await letIn();
  expect(asked('say')).toMatchObject([{ text: 'second', nonce: before?.nonce }]);
  socket.say({ type: 'said', id: asked('say')[0]?.id ?? -1, message: '7-2' });
  await settle();
  expect(texts(chat)).toEqual(['first', 'second']);
});

test('a refusal stays with the message and says how long to wait', async () => {
  const chat = room();
  seat.value = 1;
  await letIn();
  chat.say('fast', null, []);
  refuse('slow_down', 4_000);
  await settle();
  expect(texts(chat)).toEqual(['fast (failed)']);
  expect(chat.silence.value?.why).toBe('slow');
  expect((chat.silence.value?.untilMs ?? 0) - performance.now()).toBe(4_000);
  const line = chat.lines.value[0];
  if (line?.kind !== 'pending') throw new Error('no pending line');
  chat.retry(line.pending.nonce);
  refuse('banned');
  await settle();
  expect(chat.banned.value).toBe(true);
  chat.drop(line.pending.nonce);
  expect(texts(chat)).toEqual([]);
});

test('slow mode counts from what was said', async () => {
  const chat = room();
  seat.value = 1;
  await letIn();
  happens({ event: 'modes', modes: { slow_s: 30, audience: 'everyone', emote_only: false, review: false } });
  expect(chat.modes.value.slow_s).toBe(30);
  chat.say('one', null, []);
  socket.say({ type: 'said', id: asked('say')[0]?.id ?? -1, message: '7-2' });
  await settle();
  expect(chat.silence.value).toEqual({ untilMs: performance.now() + 30_000, why: 'slow' });
  happens({ event: 'modes', modes: { slow_s: 0, audience: 'everyone', emote_only: false, review: false } });
  expect(chat.silence.value).toBeNull();
});

test('messages come up when their moment does', async () => {
  moment = SERVER_MS - 3_000;
  const chat = room();
  seat.value = 1;
  await letIn();
  happens({ event: 'said', message: message(1, { text: 'goal', media_time_ms: SERVER_MS }) });
  await vi.advanceTimersByTimeAsync(2_000);
  expect([texts(chat), chat.held.value]).toEqual([[], 1]);
  moment = SERVER_MS;
  await vi.advanceTimersByTimeAsync(60);
  expect([texts(chat), chat.held.value]).toEqual([['goal'], 0]);
  chat.say('seen', null, []);
  expect(asked('say')[0]).toMatchObject({ media_time_ms: SERVER_MS });
});

test('a picture that stands still, paused or frozen, holds words back for ten seconds and no longer', async () => {
  moment = SERVER_MS;
  const chat = room();
  seat.value = 1;
  await letIn();
  happens({ event: 'said', message: message(1, { media_time_ms: SERVER_MS + 1_000 }) });
  await vi.advanceTimersByTimeAsync(9_900);
  expect([texts(chat), chat.held.value]).toEqual([[], 1]);
  await vi.advanceTimersByTimeAsync(150);
  expect([texts(chat), chat.held.value]).toEqual([['text 1'], 0]);
  happens({ event: 'said', message: message(2, { media_time_ms: SERVER_MS + 12_000 }) });
  chat.showHeld();
  expect(texts(chat)).toEqual(['text 1', 'text 2']);
  happens({ event: 'said', message: message(3, { media_time_ms: SERVER_MS + 12_000 }) });
  chat.setFollows(false);
  expect(texts(chat)).toEqual(['text 1', 'text 2', 'text 3']);
});

test('taps leave merged four times a second, and come back as what others did', async () => {
  const chat = room();
  seat.value = 1;
  await letIn();
  for (let tap = 0; tap < 3; tap++) chat.react('fire');
  expect(chat.burst.value).toEqual({ counts: [{ kind: 'fire', count: 1 }] });
  await vi.advanceTimersByTimeAsync(250);
  expect(asked('react')).toMatchObject([{ taps: [{ kind: 'fire', count: 3 }] }]);
  socket.say({ type: 'chat', frame: { reactions: [{ kind: 'fire', count: 10 }] } });
  expect(chat.burst.value).toEqual({ counts: [{ kind: 'fire', count: 7 }] });
  expect(chat.total('fire')).toBe(10);
});

test('an end, a refusal and a chat that is too much are told', async () => {
  const chat = room();
  seat.value = 1;
  socket.say({ type: 'error', id: asked('enter_chat')[0]?.id ?? -1, error: { code: 'forbidden', message: 'No.', retryable: false } });
  await settle();
  expect(chat.phase.value).toMatchObject({ kind: 'closed', error: { code: 'forbidden' } });
  chat.tryAgain();
  await letIn();
  socket.say({ type: 'chat', frame: { hidden: 5 } });
  expect(chat.sampled.value).toBe(true);
  await vi.advanceTimersByTimeAsync(15_000);
  expect(chat.sampled.value).toBe(false);
  broadcast.value = { state: 'ended' } as BroadcastView;
  expect(chat.phase.value.kind).toBe('ended');
});

test('after its lifetime there are no timers left', async () => {
  const chat = room();
  seat.value = 1;
  moment = SERVER_MS;
  await letIn([message(1, { media_time_ms: SERVER_MS + 5_000 })]);
  chat.react('goal');
  socket.say({ type: 'chat', frame: { hidden: 1 } });
  life.abort();
  expect(vi.getTimerCount()).toBe(0);
});

test('reactions rise when the moment that they are about is on the screen, and the line grows by all of them', async () => {
  const chat = room();
  seat.value = 1;
  await letIn();
  moment = 50_000;
  socket.say({ type: 'chat', frame: { reactions: [{ kind: 'goal', count: 7 }], reactions_at_ms: 50_400 } });
  await settle();
  expect(chat.burst.value).toBeNull();
  expect(chat.heat.points.value).toEqual([{ at_ms: 50_000, count: 7 }]);
  expect(chat.seenUpTo()).toBe(50_000);
  moment = 50_400;
  await vi.advanceTimersByTimeAsync(60);
  expect(chat.burst.value?.counts).toEqual([{ kind: 'goal', count: 7 }]);
});

test('what the filter lets wait is told as waiting, and the ruling ends it', async () => {
  const chat = room();
  seat.value = 1;
  await letIn();
  chat.say('look at this', null, []);
  refuse('held');
  await settle();
  expect(texts(chat)).toEqual(['look at this (held)']);
  const nonce = asked('say').at(-1)?.nonce ?? -1;
  socket.say({ type: 'chat', frame: { desk: [{ event: 'ruled', held: '7-1', nonce, ruling: 'refused' }] } });
  await settle();
  expect(texts(chat)).toEqual(['look at this (failed)']);
});
