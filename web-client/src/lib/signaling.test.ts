import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Fresh } from './auth_api';
import { theBearer } from './bearer';
import { FakeSocket } from './fake_socket';
import { storeIdentity, storedIdentity } from './identity';
import { SignalingClient, type SignalingEvent, type SignalingOptions, signalingUrl } from './signaling';

let sockets: FakeSocket[];
let life: AbortController;
const latest = (): FakeSocket => {
  const socket = sockets.at(-1);
  if (!socket) throw new Error('no socket was opened');
  return socket;
};

function connect(options: Partial<SignalingOptions> = {}): SignalingClient {
  return new SignalingClient({
    ...options,
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
  theBearer().signedOut();
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
  // The session is not kept for anybody to come back to.
  expect(latest().code).toBe(1000);
});

test('the address follows the page', () => {
  expect(signalingUrl('https://sport.example/watch/a?b')).toBe('wss://sport.example/v1/ws');
  expect(signalingUrl('http://127.0.0.1:8080/')).toBe('ws://127.0.0.1:8080/v1/ws');
});

const account = (id: string, name: string): Fresh => ({
  account: { id, name, email: 'ann@example.org', email_verified: true, roles: [], picture_version: 0, hide_watching: false, created_at_ms: 1 },
  token: `token of ${name}`,
  goodUntilMs: Date.now() + 300_000,
});
const welcomed = (user: { id: string; name: string; guest: boolean }, resumed: boolean) => latest().say({
  type: 'welcome', protocol: 1, server: 'test', session: 's', resume: 'again', resume_window_ms: 30_000, resumed, user, server_time_ms: 1, ice_servers: [],
  ping_interval_ms: 10_000,
});

test('a guest who signs up comes back as the same person to the same session, which may wait meanwhile', () => {
  const client = connect();
  latest().welcome();
  expect(client.isAsBearer).toBe(true);
  theBearer().signedIn(account('u', 'Ann'));
  expect(client.isAsBearer).toBe(false);
  client.become(theBearer().who.value);
  expect(sockets).toHaveLength(2);
  expect(sockets[0]?.code).toBe(4000);
  latest().open();
  expect(latest().sent[0]).toMatchObject({ type: 'hello', token: 'token of Ann', resume: 'again' });
  welcomed({ id: 'u', name: 'Ann', guest: false }, true);
  expect(sockets).toHaveLength(2);
});

test('a session that still goes by the guest’s name is left for a new one, once', () => {
  const client = connect();
  latest().welcome();
  theBearer().signedIn(account('u', 'Ann'));
  client.become(theBearer().who.value);
  latest().open();
  welcomed({ id: 'u', name: 'Quiet Otter 42', guest: true }, true);
  expect(sockets).toHaveLength(3);
  latest().open();
  expect(latest().sent[0]).not.toHaveProperty('resume');
  welcomed({ id: 'u', name: 'Ann', guest: false }, false);
  expect(client.user.value).toEqual({ id: 'u', name: 'Ann', guest: false });
  expect(sockets).toHaveLength(3);
});

test('whoever signs in as another, or out, begins a new session', () => {
  const client = connect();
  latest().welcome();
  theBearer().signedIn(account('b', 'Bob'));
  client.become(theBearer().who.value);
  latest().open();
  expect(latest().sent[0]).toMatchObject({ token: 'token of Bob' });
  expect(latest().sent[0]).not.toHaveProperty('resume');
  welcomed({ id: 'b', name: 'Bob', guest: false }, false);
  theBearer().signedOut();
  client.become(theBearer().who.value);
  latest().open();
  expect(latest().sent[0]).not.toHaveProperty('token');
  expect(latest().sent[0]).not.toHaveProperty('resume');
});
