import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ringing } from '../call/rings';
import { Connection, LINGER_MS } from '../lib/connection';
import { FakeSocket } from '../lib/fake_socket';
import { storeIdentity } from '../lib/identity';
import type { ServerMessage, UserView } from '../protocol';
import type { Push } from './contract';
import { openLink } from './friends_link';

const ANN: UserView = { id: 'ann', name: 'Ann', guest: false };

let socket: FakeSocket;
let connection: Connection;
let viewer: AbortController;
let life: AbortController;
let heard: Push['type'][];
let welcomes: number;
const settle = () => vi.advanceTimersByTimeAsync(0);

function open() {
  return openLink(ANN.id, { heard: ({ type }) => heard.push(type), welcomed: () => { welcomes += 1; } }, life.signal, connection);
}
function welcome(user: UserView): void {
  socket.open();
  const message: ServerMessage = {
    type: 'welcome', protocol: 1, server: 'test', session: 's', resume: 'again', resume_window_ms: 30_000, resumed: false, user,
    server_time_ms: 1_700_000_000_000, ice_servers: [], ping_interval_ms: 10_000,
  };
  socket.say(message);
}
const asked = () => socket.sent.flatMap(({ type }) => (type === 'hello' || type === 'ping' ? [] : [type]));
const ring = (): void => socket.say({ type: 'call_ring', call: 'c', from: { id: 'b', name: 'Bob', picture_version: 0 }, expires_at_ms: 1_700_000_030_000 });

beforeEach(() => {
  vi.useFakeTimers();
  storeIdentity(null);
  [viewer, life] = [new AbortController(), new AbortController()];
  heard = [];
  welcomes = 0;
  connection = new Connection({ url: 'ws://test', openSocket: () => (socket = new FakeSocket()) as unknown as WebSocket });
  connection.share(viewer.signal);
});
afterEach(async () => {
  for (const one of [life, viewer]) one.abort();
  await vi.advanceTimersByTimeAsync(LINGER_MS);
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test('a connection that stands already is as good as a welcome', async () => {
  welcome(ANN);
  const link = open();
  link.look(true);
  expect([welcomes, asked()]).toEqual([0, ['watch_friends']]);
  await settle();
  expect(welcomes).toBe(1);
});

test('hears of people and rings, and after each connection asks again for what it looks at', async () => {
  const link = open();
  welcome(ANN);
  link.look(true);
  expect([welcomes, asked()]).toEqual([1, ['watch_friends']]);
  socket.say({ type: 'friends_online', id: (socket.sent.at(-1) as { id: number }).id, friends: [] });
  await settle();
  socket.say({ type: 'presence', user: 'b', presence: { online: true } });
  socket.say({ type: 'messages_read', user: 'b', reader: 'b', up_to: 1 });
  ring();
  expect(heard).toEqual(['friends_online', 'presence', 'messages_read']);
  expect(ringing.value.map(({ call }) => call)).toEqual(['c']);
  ringing.value[0]?.decline();
  expect(asked().at(-1)).toBe('call');
  socket.lose();
  vi.advanceTimersByTime(1_000);
  welcome(ANN);
  expect([welcomes, asked()]).toEqual([2, ['watch_friends']]);
});

test('what is said to somebody else is not about these friends', async () => {
  const link = open();
  for (const user of [{ id: 'ann', name: 'Quiet Otter 42', guest: true }, { id: 'b', name: 'Bob', guest: false }]) {
    welcome(user);
    link.look(true);
    socket.say({ type: 'messages_read', user: 'b', reader: 'b', up_to: 1 });
    ring();
    await settle();
    socket.lose();
    vi.advanceTimersByTime(1_000);
  }
  expect([welcomes, heard, ringing.value]).toEqual([0, [], []]);
});

test('its end is said to a connection that goes on, and nothing rings any more', () => {
  const link = open();
  welcome(ANN);
  link.look(true);
  ring();
  life.abort();
  socket.say({ type: 'messages_read', user: 'b', reader: 'b', up_to: 1 });
  expect([asked(), heard, ringing.value, socket.closed]).toEqual([['watch_friends', 'unwatch_friends'], [], [], false]);
});
