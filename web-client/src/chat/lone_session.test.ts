import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Connection } from '../lib/connection';
import { FakeSocket } from '../lib/fake_socket';
import type { BroadcastView, ErrorCode } from '../protocol';
import { LoneSession } from './lone_session';

let life: AbortController;
let socket: FakeSocket;

function open(): LoneSession {
  const connection = new Connection({ url: 'ws://test', openSocket: () => (socket = new FakeSocket()) as unknown as WebSocket });
  const session = new LoneSession({ broadcast: 'final', token: 'key', connection, lifetime: life.signal, moment: () => 42 });
  socket.welcome();
  return session;
}
const joins = () => socket.sent.flatMap((sent) => (sent.type === 'join' ? [sent] : []));
const settle = () => vi.advanceTimersByTimeAsync(0);
function refuse(code: ErrorCode, retryable: boolean): Promise<unknown> {
  socket.say({ type: 'error', id: joins().at(-1)?.id ?? -1, error: { code, message: 'No.', retryable } });
  return settle();
}

beforeEach(() => {
  vi.useFakeTimers();
  life = new AbortController();
});
afterEach(() => {
  life.abort();
  vi.useRealTimers();
});

test('joins as nobody’s viewer, with the token of the link, and has another seat after each connection', async () => {
  const session = open();
  expect(joins()).toMatchObject([{ broadcast: 'final', token: 'key', preview: true }]);
  socket.say({ type: 'joined', id: joins()[0]?.id ?? -1, broadcast: { state: 'live' } as BroadcastView, grants: ['view', 'chat'] });
  await settle();
  expect([session.seat.value, session.broadcast.value?.state, session.moment()]).toEqual([1, 'live', 42]);
  socket.lose();
  expect(session.seat.value).toBeNull();
  await vi.advanceTimersByTimeAsync(1_000);
  socket.welcome(true);
  expect(session.seat.value).toBe(2);
});

test('a refusal is told, one that passes is tried again', async () => {
  const session = open();
  await refuse('unavailable', true);
  expect(session.failure.value).toBeNull();
  await vi.advanceTimersByTimeAsync(4_000);
  expect(joins()).toHaveLength(2);
  await refuse('not_found', false);
  expect(session.failure.value?.code).toBe('not_found');
});
