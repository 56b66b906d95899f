// Every golden message of the protocol, the same files that the server's tests read, through the real client: what the server says reaches
// those who must hear it, and what we ask is on the wire as the server reads it.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ClientMessage, ServerMessage } from '../protocol';
import { RequestError } from './errors';
import { Connection } from './connection';
import { FakeSocket } from './fake_socket';
import { storeIdentity, storedIdentity } from './identity';
import { PublisherSession } from './publisher';
import { SignalingClient, type SignalingEvent } from './signaling';
import { ViewerSession } from './viewer';

type ServerGolden = { [K in ServerMessage['type']]: Extract<ServerMessage, { type: K }> };
type ClientGolden = { [K in ClientMessage['type']]: Extract<ClientMessage, { type: K }> };

function byType<T>(files: Record<string, unknown>): T {
  return Object.fromEntries(Object.entries(files).map(([path, message]) => [/(\w+)\.json$/.exec(path)?.[1], message])) as T;
}
// That each file has the shape of its type is held by `scripts/check_golden.mjs`.
const server = byType<ServerGolden>(import.meta.glob('../../../tests/golden/signaling/server/*.json', { eager: true, import: 'default' }));
const client = byType<ClientGolden>(import.meta.glob('../../../tests/golden/signaling/client/*.json', { eager: true, import: 'default' }));

let sockets: FakeSocket[];
let life: AbortController;
const socket = (): FakeSocket => sockets.at(-1) ?? expect.unreachable('no socket was opened');

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  life = new AbortController();
  storeIdentity(null);
  vi.stubGlobal('WebSocket', class extends FakeSocket {
    constructor() {
      super();
      sockets.push(this);
    }
  });
  vi.stubGlobal('MediaStream', FakeStream);
  vi.stubGlobal('RTCPeerConnection', FakeConnection);
  vi.stubGlobal('RTCRtpSender', { getCapabilities: () => null });
});
afterEach(() => {
  life.abort();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function connected(): SignalingClient {
  const signaling = new SignalingClient({ url: 'ws://test/v1/ws', lifetime: life.signal });
  socket().open();
  socket().say(server.welcome);
  return signaling;
}

/** What the client sent last, of one type. */
function lastSent<T extends ClientMessage['type']>(type: T): Extract<ClientMessage, { type: T }> {
  const message = socket().sent.findLast((candidate) => candidate.type === type);
  return (message as Extract<ClientMessage, { type: T }> | undefined) ?? expect.unreachable(`no ${type} was sent`);
}

const flush = () => vi.advanceTimersByTimeAsync(0);

/** A row a type: the compiler asks for the row of a message that is added to the protocol. */
const HEARD: { [K in ServerMessage['type']]: 'answer' | 'event' | 'end' } = {
  welcome: 'event', pong: 'answer', joined: 'answer', done: 'answer', answer: 'answer', error: 'answer', bye: 'end', slots: 'event',
  broadcast: 'event', viewers: 'event', peer_state: 'event', playing: 'event', track_clock: 'event', transport: 'event', layers: 'event', layer: 'event',
  cannot_decode: 'event', unwatched: 'event', publisher_refused: 'event', stats: 'event', chat_entered: 'answer', said: 'answer', chat: 'event',
  chat_resync: 'event', friends_online: 'answer', presence: 'event', friend_changed: 'event', private_message: 'event', messages_read: 'event',
  call_entered: 'answer', call_link: 'answer', call: 'event', call_over: 'event', call_ring: 'event', call_ring_over: 'event', call_speaking: 'event',
  call_said: 'event', call_reacted: 'event', call_played: 'event', call_paced: 'event', hands: 'event', on_air_invited: 'event', on_air_over: 'event',
};
const typesHeard = (as: 'answer' | 'event' | 'end') => (Object.keys(HEARD) as Array<ServerMessage['type']>).filter((type) => HEARD[type] === as);

test('there is a golden message for everything that can be said', () => {
  expect(Object.keys(server).sort()).toEqual(Object.keys(HEARD).sort());
});

test.each(typesHeard('event'))('%s is heard by everybody who listens, word for word', (type) => {
  const heard: SignalingEvent[] = [];
  const signaling = new SignalingClient({ url: 'ws://test/v1/ws', lifetime: life.signal });
  signaling.listen((event) => heard.push(event), life.signal);
  socket().open();
  if (type !== 'welcome') socket().say(server.welcome);
  heard.length = 0;
  socket().say(server[type]);
  expect(heard).toEqual([server[type]]);
});

test('welcome says who we are and is kept for the next time', () => {
  const signaling = connected();
  expect(signaling.isOpen).toBe(true);
  expect(signaling.user.value).toEqual(server.welcome.user);
  expect(signaling.iceServers).toEqual(server.welcome.ice_servers);
  expect(storedIdentity()).toBe(server.welcome.token);
  expect(signaling.clock.serverNow(performance.now())).toBeCloseTo(server.welcome.server_time_ms, -1);
  socket().lose();
  vi.advanceTimersByTime(1_000);
  socket().open();
  expect(lastSent('hello')).toMatchObject({ resume: server.welcome.resume, token: server.welcome.token });
});

const ANSWERED_BY: { [K in Exclude<ClientMessage['type'], 'hello' | 'candidate' | 'report' | 'view_size' | 'react' | 'call_pace'>]: ServerMessage['type'] } = {
  ping: 'pong', join: 'joined', offer: 'answer', leave: 'done', close_peer: 'done', quality: 'done', watch_stats: 'done',
  update_broadcast: 'done', mark: 'done', unmark: 'done', end_broadcast: 'done', enter_chat: 'chat_entered', leave_chat: 'done', say: 'said',
  change_chat: 'done', report_message: 'done', watch_friends: 'friends_online', unwatch_friends: 'done',
  call: 'call_entered', on_air: 'done',
};
const requests = Object.keys(ANSWERED_BY) as Array<keyof typeof ANSWERED_BY>;

test.each(requests)('%s is asked as the server reads it, and answered or refused', async (type) => {
  const signaling = connected();
  const { type: _, id: __, ...body } = client[type];
  const ask = () => {
    const asked = signaling.request(type, body as never);
    return { asked, id: lastSent(type).id };
  };
  const good = ask();
  expect(lastSent(type)).toEqual({ ...client[type], id: good.id });
  const answer = server[ANSWERED_BY[type]];
  socket().say({ ...answer, id: good.id } as ServerMessage);
  await expect(good.asked).resolves.toEqual({ ...answer, id: good.id });
  const bad = ask();
  socket().say({ ...server.error, id: bad.id });
  await expect(bad.asked).rejects.toEqual(RequestError.fromView(server.error.error));
});

test('what needs no answer is on the wire as the server reads it', () => {
  const signaling = connected();
  for (const message of [client.report, client.candidate, client.view_size, client.react, client.call_pace]) {
    signaling.tell(message);
    expect(lastSent(message.type)).toEqual(message);
  }
  expect(Object.keys(client).sort()).toEqual([...requests, 'hello', 'report', 'candidate', 'view_size', 'react', 'call_pace'].sort());
});

test('goodbye is obeyed: away, and back after the delay it names', () => {
  const signaling = connected();
  socket().say(server.bye);
  expect(signaling.state.value.kind).toBe('waiting');
  vi.advanceTimersByTime((server.bye.reconnect_after_ms ?? 0) * 1.5);
  expect(sockets).toHaveLength(2);
});

/** A viewer that has joined and negotiated, all by golden messages. */
async function watching(): Promise<ViewerSession> {
  const session = new ViewerSession({ broadcast: 'cup-final', connection: new Connection({ url: 'ws://test/v1/ws' }), lifetime: life.signal });
  socket().open();
  socket().say(server.welcome);
  socket().say({ ...server.joined, id: lastSent('join').id });
  await flush();
  socket().say({ ...server.answer, id: lastSent('offer').id });
  await flush();
  return session;
}

test('a viewer understands all that it is told', async () => {
  const session = await watching();
  expect(lastSent('join')).toEqual({ type: 'join', id: expect.any(Number), broadcast: 'cup-final' });
  expect(session.broadcast.value).toEqual(server.joined.broadcast);
  expect(session.user.value).toEqual(server.welcome.user);
  socket().say({ ...server.viewers, count: 8, peak: 9 });
  expect(session.viewers.value).toEqual({ count: 8, peak: 9 });
  socket().say(server.layers);
  expect(session.layers.value).toEqual(server.layers.layers);
  socket().say(server.slots);
  socket().say(server.layer);
  expect(session.layer.value).toEqual({ current: server.layer.current, target: server.layer.target });
  socket().say({ ...server.broadcast, broadcast: { ...server.broadcast.broadcast, state: 'reconnecting' } });
  expect(session.phase.value).toMatchObject({ kind: 'reconnecting', why: 'publisher' });
  socket().say(server.broadcast);
  socket().say(server.cannot_decode);
  expect(session.phase.value).toEqual({ kind: 'blocked', reason: 'codec', codec: server.cannot_decode.codec });
  for (const type of ['playing', 'track_clock', 'stats', 'unwatched', 'publisher_refused', 'peer_state'] as const) socket().say(server[type]);
  socket().say({ ...server.broadcast, broadcast: { ...server.broadcast.broadcast, state: 'ended' } });
  expect(session.phase.value).toEqual({ kind: 'ended' });
});

test('how large the picture is drawn is told as soon as there is a peer, and anew whenever it changes', async () => {
  const session = await watching();
  session.drawn(664);
  expect(lastSent('view_size')).toEqual({ ...client.view_size, peer: server.answer.peer });
  session.drawn(0);
  expect(lastSent('view_size').height).toBe(0);
  const told = socket().sent.length;
  socket().say(server.slots);
  expect(socket().sent.slice(told)).toEqual([{ ...client.view_size, height: 0 }]);
});

test('a call keeps the transport though the picture comes by HLS, and after the match is over; without it the transport goes', async () => {
  const session = await watching();
  const closed = () => socket().sent.filter(({ type }) => type === 'close_peer').length;
  session.keepMedia(true);
  session.setMedia(false);
  socket().say({ ...server.broadcast, broadcast: { ...server.broadcast.broadcast, state: 'ended' } });
  expect(session.peer).toBe(server.answer.peer);
  expect(closed()).toBe(0);
  session.keepMedia(false);
  expect(session.peer).toBeNull();
  expect(closed()).toBe(1);
});

test('what shares the peer puts its m-lines behind the match, hears the slots, and has them offered anew on the same peer', async () => {
  const session = await watching();
  const heard: unknown[] = [];
  session.lodge({ moveIn: () => undefined, slots: (_, slots) => { heard.push(slots); } }, life.signal);
  expect(heard).toEqual([[]]);
  socket().say(server.slots);
  expect(heard.at(-1)).toEqual(server.slots.slots);
  const offered = session.offerAnew();
  await flush();
  expect(lastSent('offer')).toMatchObject({ peer: server.answer.peer, intent: 'view' });
  socket().say({ ...server.answer, id: lastSent('offer').id });
  await expect(offered).resolves.toBeUndefined();
});

test('a preview says that it is one', async () => {
  new ViewerSession({ broadcast: 'cup-final', token: 'eyJ.e30.sig', preview: true, connection: new Connection({ url: 'ws://test/v1/ws' }), lifetime: life.signal });
  socket().open();
  socket().say(server.welcome);
  expect(lastSent('join')).toEqual({ ...client.join, id: expect.any(Number) });
});

test('a publisher understands all that it is told', async () => {
  const source = { video: null, audio: null, kind: 'camera' } as const;
  const session = new PublisherSession({ broadcast: 'cup-final', token: 't', source, connection: new Connection({ url: 'ws://test/v1/ws' }), lifetime: life.signal });
  socket().open();
  socket().say(server.welcome);
  socket().say({ ...server.joined, id: lastSent('join').id });
  await flush();
  socket().say({ ...server.answer, id: lastSent('offer').id });
  await flush();
  expect(session.phase.value).toEqual({ kind: 'live' });
  socket().say({ ...server.viewers, count: 8, peak: 9 });
  expect(session.broadcast.value).toMatchObject({ viewers: 8, viewers_peak: 9 });
  socket().say(server.layers);
  expect(session.arriving.value).toEqual(server.layers.layers);
  socket().say(server.unwatched);
  expect([...session.unwatched.value]).toEqual(server.unwatched.rids);
  for (const type of ['slots', 'playing', 'track_clock', 'layer', 'cannot_decode', 'stats', 'peer_state'] as const) socket().say(server[type]);
  socket().say(server.publisher_refused);
  expect(session.phase.value).toEqual({ kind: 'refused', code: server.publisher_refused.code, message: server.publisher_refused.message });
});

class FakeStream {
  readonly #tracks: unknown[] = [];
  getTracks(): unknown[] {
    return [...this.#tracks];
  }
  addTrack(track: unknown): void {
    this.#tracks.push(track);
  }
  removeTrack(track: unknown): void {
    this.#tracks.splice(this.#tracks.indexOf(track), 1);
  }
}

/** Negotiates at once and carries nothing. */
class FakeConnection extends EventTarget {
  connectionState = 'connected';
  signalingState = 'stable';
  readonly #transceivers: Array<{ mid: string; receiver: { track: EventTarget & { kind: string } }; sender: object }> = [];
  addTransceiver(of: string): object {
    const sender = { getParameters: () => ({ encodings: [] }), setParameters: async () => undefined, replaceTrack: async () => undefined };
    const transceiver = { mid: String(this.#transceivers.length), receiver: { track: Object.assign(new EventTarget(), { kind: of }) }, sender };
    this.#transceivers.push(transceiver);
    return transceiver;
  }
  getTransceivers(): object[] {
    return this.#transceivers;
  }
  getReceivers(): object[] {
    return this.#transceivers.map(({ receiver }) => receiver);
  }
  async createOffer(): Promise<object> {
    return { type: 'offer', sdp: 'v=0\r\n' };
  }
  async setLocalDescription(): Promise<void> {}
  async setRemoteDescription(): Promise<void> {
    this.dispatchEvent(new Event('connectionstatechange'));
  }
  async getStats(): Promise<Map<string, object>> {
    return new Map();
  }
  close(): void {
    this.signalingState = 'closed';
  }
}
