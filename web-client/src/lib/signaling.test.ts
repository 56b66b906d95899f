import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeSocket } from './fake_socket';
import { storeIdentity, storedIdentity } from './identity';
import { SignalingClient, type SignalingEvent, signalingUrl } from './signaling';

let sockets: FakeSocket[];
let life: AbortController;
const latest = (): FakeSocket => {
  const socket = sockets.at(-1);
  if (!socket) throw new Error('no socket was opened');
  return socket;
};

function connect(): SignalingClient {
  return new SignalingClient({
    url: 'ws://test/v1/ws',
    lifetime: life.signal,
    openSocket: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  life = new AbortController();
  storeIdentity(null);
});
afterEach(() => {
  life.abort();
  vi.useRealTimers();
});

test('says hello as the stored person and keeps a fresh token', () => {
  storeIdentity('old');
  connect();
  latest().welcome();
  expect(latest().sent[0]).toMatchObject({ type: 'hello', protocol: 1, token: 'old' });
  expect(storedIdentity()).toBe('identity');
});

test('an answer finds its request, an error rejects it with its code', async () => {
  const client = connect();
  latest().welcome();
  const good = client.request('end_broadcast', {});
  const bad = client.request('join', { broadcast: 'nowhere' });
  const [first, second] = latest().sent.slice(-2) as Array<{ id: number }>;
  latest().say({ type: 'error', id: second?.id ?? -1, error: { code: 'not_found', message: 'No.', retryable: false } });
  latest().say({ type: 'done', id: first?.id ?? -1 });
  await expect(good).resolves.toMatchObject({ type: 'done' });
  await expect(bad).rejects.toMatchObject({ code: 'not_found', retryable: false });
});

test('a lost connection fails what was asked, comes back and resumes', async () => {
  const client = connect();
  const heard: SignalingEvent[] = [];
  client.listen((event) => heard.push(event), life.signal);
  latest().welcome();
  const asked = client.request('leave', {});
  latest().lose();
  await expect(asked).rejects.toMatchObject({ code: 'disconnected' });
  expect(client.state.value.kind).toBe('waiting');
  vi.advanceTimersByTime(250);
  expect(sockets).toHaveLength(2);
  latest().welcome(true);
  expect(latest().sent[0]).toMatchObject({ type: 'hello', resume: 'again' });
  expect(heard.map((event) => event.type === 'welcome' && event.resumed)).toEqual([false, true]);
});

test('a silent connection is given up when a ping stays unanswered', () => {
  const client = connect();
  latest().welcome();
  vi.advanceTimersByTime(100 + 5_000);
  expect(latest().closed).toBe(true);
  expect(client.state.value.kind).toBe('waiting');
});

test('a refused identity is forgotten and the page goes on as a guest', () => {
  storeIdentity('stale');
  connect();
  latest().open();
  latest().say({ type: 'error', error: { code: 'invalid_token', message: 'Unknown key.', retryable: false } });
  vi.advanceTimersByTime(1);
  latest().open();
  expect(latest().sent[0]).not.toHaveProperty('token');
});

test('goodbye with a delay is obeyed, being replaced is final until a person asks', () => {
  const client = connect();
  latest().welcome();
  latest().say({ type: 'bye', reason: 'shutting_down', message: 'Restart.', reconnect_after_ms: 1_000 });
  vi.advanceTimersByTime(999);
  expect(sockets).toHaveLength(1);
  vi.advanceTimersByTime(501);
  expect(sockets).toHaveLength(2);
  latest().welcome();
  latest().say({ type: 'bye', reason: 'replaced', message: 'Elsewhere.' });
  vi.advanceTimersByTime(60_000);
  expect(sockets).toHaveLength(2);
  expect(client.state.value.kind).toBe('stopped');
  client.retryNow();
  expect(sockets).toHaveLength(3);
});

test('a server that thinks us broken is asked again, slowly', () => {
  connect();
  latest().welcome();
  latest().say({ type: 'bye', reason: 'protocol_error', message: 'Nonsense.' });
  vi.advanceTimersByTime(7_999);
  expect(sockets).toHaveLength(1);
  vi.advanceTimersByTime(4_001);
  expect(sockets).toHaveLength(2);
});

test('coming online ends the wait at once', () => {
  const client = connect();
  for (let lost = 0; lost < 6; lost++) {
    latest().lose();
    vi.advanceTimersByTime(8_000);
  }
  latest().lose();
  const before = sockets.length;
  client.retryNow();
  expect(sockets.length).toBe(before + 1);
});

test('after its lifetime there are no timers left', () => {
  connect();
  latest().welcome();
  life.abort();
  expect(vi.getTimerCount()).toBe(0);
});

test('the address follows the page', () => {
  expect(signalingUrl('https://sport.example/watch/a?b')).toBe('wss://sport.example/v1/ws');
  expect(signalingUrl('http://127.0.0.1:8080/')).toBe('ws://127.0.0.1:8080/v1/ws');
});
