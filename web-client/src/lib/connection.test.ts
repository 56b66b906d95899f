import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { BroadcastView, ClientMessage, ErrorCode } from '../protocol';
import type { Fresh } from './auth_api';
import { theBearer } from './bearer';
import { Connection, type JoinBody, LINGER_MS, type Share, type ShareOptions } from './connection';
import { type FakeSocket, opener } from './fake_socket';
import { storeIdentity } from './identity';
import type { SignalingEvent } from './signaling';

let sockets: FakeSocket[];
let connection: Connection;
let lives: AbortController[];
const latest = (): FakeSocket => sockets.at(-1) ?? expect.unreachable('no socket was opened');
const settle = () => vi.advanceTimersByTimeAsync(0);

/** One who shares, with what they hear. */
type Somebody = { share: Share; heard: SignalingEvent['type'][]; leave: () => void };
function somebody(options: ShareOptions = {}): Somebody {
  const life = new AbortController();
  lives.push(life);
  const share = connection.share(life.signal, options);
  const heard: SignalingEvent['type'][] = [];
  share.listen((event) => heard.push(event.type), life.signal);
  return { share, heard, leave: () => life.abort() };
}

const sent = <T extends ClientMessage['type']>(type: T) => latest().sent.filter((message): message is Extract<ClientMessage, { type: T }> => message.type === type);
const types = () => latest().sent.flatMap(({ type }) => (type === 'ping' ? [] : [type]));
const viewOf = (id: string, title = id) => ({ id, title, state: 'live' }) as BroadcastView;
async function answerJoin(id: string): Promise<void> {
  latest().say({ type: 'joined', id: sent('join').at(-1)?.id ?? -1, broadcast: viewOf(id), grants: ['view'] });
  await settle();
}
async function refuseJoin(code: ErrorCode): Promise<void> {
  latest().say({ type: 'error', id: sent('join').at(-1)?.id ?? -1, error: { code, message: 'No.', retryable: false } });
  await settle();
}
async function joins(who: Somebody, body: JoinBody): Promise<void> {
  const joined = who.share.join(body);
  await answerJoin(body.broadcast);
  await joined;
}

const account = (id: string, name: string): Fresh => ({
  account: { id, name, email: 'ann@example.org', email_verified: true, roles: [], picture_version: 0, hide_watching: false, created_at_ms: 1 },
  token: `token of ${name}`,
  goodUntilMs: Date.now() + 300_000,
});

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  lives = [];
  storeIdentity(null);
  connection = new Connection({ url: 'ws://test/v1/ws', openSocket: opener(sockets) });
});
afterEach(async () => {
  for (const life of lives) life.abort();
  await vi.advanceTimersByTimeAsync(LINGER_MS);
  theBearer().signedOut();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test('everybody speaks over one socket, made for the first and closed for good a while after the last', async () => {
  const [first, second] = [somebody(), somebody()];
  latest().welcome();
  expect([first.share.isOpen, second.share.isOpen, connection.isMade]).toEqual([true, true, true]);
  first.leave();
  await vi.advanceTimersByTimeAsync(2 * LINGER_MS);
  expect(latest().closed).toBe(false);
  second.leave();
  await vi.advanceTimersByTimeAsync(LINGER_MS - 1);
  expect(latest().closed).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect([latest().closed, latest().code, connection.isMade]).toEqual([true, 1000, false]);
  somebody();
  expect(sockets).toHaveLength(2);
});

test('whoever comes soon enough finds it open, and hears what comes then', async () => {
  somebody().leave();
  latest().welcome();
  await vi.advanceTimersByTimeAsync(LINGER_MS - 1);
  const next = somebody();
  await vi.advanceTimersByTimeAsync(2 * LINGER_MS);
  latest().say({ type: 'messages_read', user: 'a', reader: 'a', up_to: 1 });
  expect([sockets.length, next.share.isOpen, next.heard]).toEqual([1, true, ['messages_read']]);
});

test('a share that has ended is as good as a connection that has', async () => {
  const [one, other] = [somebody(), somebody()];
  latest().welcome();
  const asked = one.share.request('watch_friends', {});
  one.leave();
  await expect(asked).rejects.toMatchObject({ code: 'disconnected' });
  await expect(one.share.request('unwatch_friends', {})).rejects.toMatchObject({ code: 'disconnected' });
  await expect(one.share.join({ broadcast: 'a' })).rejects.toMatchObject({ code: 'disconnected' });
  const before = latest().sent.length;
  one.share.tell({ type: 'react', taps: [] });
  latest().say({ type: 'messages_read', user: 'a', reader: 'a', up_to: 1 });
  expect([latest().sent.length, one.share.isOpen, one.share.state.value, one.heard]).toEqual([before, false, { kind: 'stopped', error: null }, ['welcome']]);
  expect(other.heard).toEqual(['welcome', 'messages_read']);
});

test('news of the broadcast is for who has joined it, once that is answered; news about people for everybody', async () => {
  const [viewer, friends] = [somebody(), somebody()];
  latest().welcome();
  const joined = viewer.share.join({ broadcast: 'a' });
  // Of what the session had joined before.
  latest().say({ type: 'viewers', count: 1, peak: 1 });
  await answerJoin('a');
  await expect(joined).resolves.toMatchObject({ broadcast: { id: 'a' } });
  latest().say({ type: 'viewers', count: 2, peak: 2 });
  latest().say({ type: 'presence', user: 'b', presence: { online: true } });
  expect([viewer.heard, friends.heard]).toEqual([['welcome', 'viewers', 'presence'], ['welcome', 'presence']]);
});

test('the last who has joined leaves, others go on', async () => {
  const [viewer, friends] = [somebody(), somebody()];
  latest().welcome();
  await joins(viewer, { broadcast: 'a' });
  viewer.leave();
  latest().say({ type: 'viewers', count: 2, peak: 2 });
  expect([sent('leave').length, friends.share.isOpen, friends.heard]).toEqual([1, true, ['welcome']]);
});

test('the next match is joined before the last one’s page has gone, which leaves nothing any more', async () => {
  const first = somebody();
  latest().welcome();
  await joins(first, { broadcast: 'a' });
  const second = somebody();
  const joined = second.share.join({ broadcast: 'b' });
  expect(first.share.state.value.kind).toBe('stopped');
  await expect(first.share.request('end_broadcast', {})).rejects.toMatchObject({ code: 'disconnected' });
  first.leave();
  await answerJoin('b');
  await joined;
  latest().say({ type: 'viewers', count: 2, peak: 2 });
  expect([types().filter((type) => type === 'leave'), first.heard, second.heard]).toEqual([[], ['welcome'], ['viewers']]);
});

test('what was joined before is left where the next is refused', async () => {
  const first = somebody();
  latest().welcome();
  await joins(first, { broadcast: 'a' });
  const second = somebody();
  const joined = second.share.join({ broadcast: 'b' });
  first.leave();
  expect(sent('leave')).toHaveLength(0);
  joined.catch(() => undefined);
  await refuseJoin('not_found');
  await expect(joined).rejects.toMatchObject({ code: 'not_found' });
  expect(sent('leave')).toHaveLength(1);
});

test('the same words join once, for both, with what the broadcast is by now; only with the second is it left', async () => {
  const [publisher, guests] = [somebody(), somebody()];
  latest().welcome();
  const body = { broadcast: 'a', token: 'key', preview: true };
  await joins(publisher, body);
  latest().say({ type: 'broadcast', broadcast: viewOf('a', 'Renamed') });
  latest().say({ type: 'viewers', count: 3, peak: 4 });
  latest().say({ type: 'layers', layers: [] });
  await expect(guests.share.join(body)).resolves.toMatchObject({ broadcast: { title: 'Renamed', viewers: 3, viewers_peak: 4, layers: [] } });
  latest().say({ type: 'viewers', count: 2, peak: 2 });
  expect([sent('join').length, publisher.heard.at(-1), guests.heard.at(-1)]).toEqual([1, 'viewers', 'viewers']);
  publisher.leave();
  expect(sent('leave')).toHaveLength(0);
  guests.leave();
  expect(sent('leave')).toHaveLength(1);
});

test('a resumed session is still there; another one is joined anew, by both in one breath', async () => {
  const [publisher, guests] = [somebody(), somebody()];
  latest().welcome();
  const body = { broadcast: 'a', token: 'key', preview: true };
  await joins(publisher, body);
  await guests.share.join(body);
  latest().lose();
  vi.advanceTimersByTime(1_000);
  latest().welcome(true);
  latest().say({ type: 'viewers', count: 2, peak: 2 });
  await settle();
  expect([publisher.heard.at(-1), types()]).toEqual(['viewers', ['hello']]);
  latest().lose();
  vi.advanceTimersByTime(1_000);
  latest().welcome(false);
  latest().say({ type: 'viewers', count: 2, peak: 2 });
  expect(publisher.heard.at(-1)).toBe('welcome');
  const both = [publisher.share.join(body), guests.share.join(body)];
  expect(sent('join')).toHaveLength(1);
  await answerJoin('a');
  await expect(Promise.all(both)).resolves.toHaveLength(2);
});

test('who leaves while there is no connection has left once there is one', async () => {
  const [viewer, friends] = [somebody(), somebody()];
  latest().welcome();
  await joins(viewer, { broadcast: 'a' });
  latest().lose();
  viewer.leave();
  vi.advanceTimersByTime(1_000);
  latest().welcome(true);
  await settle();
  expect([types(), friends.share.isOpen]).toEqual([['hello', 'leave'], true]);
});

test('a join whose answer was lost may have been heard', async () => {
  const [viewer] = [somebody(), somebody()];
  latest().welcome();
  const joined = viewer.share.join({ broadcast: 'a' });
  latest().lose();
  await expect(joined).rejects.toMatchObject({ code: 'disconnected' });
  viewer.leave();
  vi.advanceTimersByTime(1_000);
  latest().welcome(true);
  await settle();
  expect(types()).toEqual(['hello', 'leave']);
});

test('where the server knows of no place the next join is said', async () => {
  const viewer = somebody();
  latest().welcome();
  await joins(viewer, { broadcast: 'a' });
  const offered = viewer.share.request('offer', { intent: 'view', sdp: '' });
  offered.catch(() => undefined);
  latest().say({ type: 'error', id: sent('offer')[0]?.id ?? -1, error: { code: 'not_joined', message: 'No.', retryable: false } });
  await settle();
  await joins(viewer, { broadcast: 'a' });
  expect(sent('join')).toHaveLength(2);
});

test('whoever signs in goes on with the connection, as them', async () => {
  const viewer = somebody();
  latest().welcome();
  await joins(viewer, { broadcast: 'a' });
  theBearer().signedIn(account('u', 'Ann'));
  await settle();
  expect([sockets.length, sockets[0]?.code, connection.isLeft]).toEqual([2, 4000, false]);
  latest().open();
  expect(latest().sent[0]).toMatchObject({ token: 'token of Ann', resume: 'again' });
});

test('where something must not be disturbed the person stays the same, until it is over or the connection is lost', async () => {
  const friends = somebody();
  const publisher = somebody({ stays: true });
  latest().welcome();
  theBearer().signedIn(account('b', 'Bob'));
  await settle();
  expect([sockets.length, connection.stays, connection.isLeft]).toEqual([1, true, true]);
  publisher.leave();
  expect([sockets.length, connection.stays, connection.isLeft]).toEqual([2, false, false]);
  latest().open();
  expect(latest().sent[0]).toMatchObject({ token: 'token of Bob' });
  somebody({ stays: true });
  theBearer().signedOut();
  await settle();
  latest().lose();
  vi.advanceTimersByTime(250);
  latest().open();
  expect(latest().sent[0]).not.toHaveProperty('token');
  expect([connection.isLeft, friends.share.isOpen]).toEqual([false, false]);
});

test('nobody’s connection is not kept open for the next person', async () => {
  theBearer().signedIn(account('b', 'Bob'));
  const friends = somebody();
  latest().welcome();
  // The friends leave with the person, in whichever order they hear of it.
  const stop = theBearer().who.subscribe((who) => { if (who.kind === 'guest') friends.leave(); });
  theBearer().signedOut();
  await settle();
  stop();
  expect([sockets.length, latest().closed, latest().code]).toEqual([1, true, 1000]);
});

test('whoever comes asks again what was refused or waits', () => {
  somebody();
  latest().welcome();
  latest().say({ type: 'bye', reason: 'replaced', message: 'Elsewhere.' });
  vi.advanceTimersByTime(60_000);
  expect(sockets).toHaveLength(1);
  somebody();
  expect(sockets).toHaveLength(2);
});
