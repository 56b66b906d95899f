import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { theBearer } from './bearer';
import { LINGER_MS } from './connection';
import { Connections } from './connections';
import { type FakeSocket, opener } from './fake_socket';
import { storeIdentity } from './identity';

let sockets: FakeSocket[];
let connections: Connections;
let life: AbortController;

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  life = new AbortController();
  storeIdentity(null);
  connections = new Connections({ url: 'ws://test/v1/ws', openSocket: opener(sockets) });
});
afterEach(() => {
  life.abort();
  vi.advanceTimersByTime(LINGER_MS);
  theBearer().signedOut();
  vi.useRealTimers();
});

test('a page has one connection, whatever it is wanted for', () => {
  connections.toHear().share(life.signal);
  connections.toJoin().share(life.signal);
  connections.toJoin().share(life.signal, { stays: true });
  connections.toHear().share(life.signal);
  expect(sockets).toHaveLength(1);
});

test('beside what is on air another match is joined on another connection, which goes with it', () => {
  const onAir = connections.toJoin();
  onAir.share(life.signal, { stays: true });
  const watching = new AbortController();
  const other = connections.toJoin();
  other.share(watching.signal);
  expect(other).not.toBe(onAir);
  expect([connections.toJoin(), connections.toHear()]).toEqual([other, onAir]);
  watching.abort();
  vi.advanceTimersByTime(LINGER_MS);
  expect(sockets.map(({ closed }) => closed)).toEqual([false, true]);
});

test('whoever signs in while something is on air is heard of on another connection', async () => {
  const onAir = connections.toJoin();
  onAir.share(life.signal, { stays: true });
  sockets[0]?.welcome();
  theBearer().signedIn({
    account: { id: 'b', name: 'Bob', email: 'b@example.org', email_verified: true, roles: [], picture_version: 0, hide_watching: false, created_at_ms: 1 },
    token: 'token of Bob', goodUntilMs: Date.now() + 300_000,
  });
  await vi.advanceTimersByTimeAsync(0);
  expect(sockets).toHaveLength(1);
  const theirs = connections.toHear();
  theirs.share(life.signal);
  sockets[1]?.open();
  expect(theirs).not.toBe(onAir);
  expect(sockets[1]?.sent[0]).toMatchObject({ type: 'hello', token: 'token of Bob' });
});
