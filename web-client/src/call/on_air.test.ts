import { signal } from '@preact/signals';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RequestError } from '../lib/errors';
import type { SignalingEvent } from '../lib/signaling';
import type { BroadcastView, OnAirAsk, UserView } from '../protocol';
import type { Call } from './call';
import { OnAir } from './on_air';

let life: AbortController;
let asked: OnAirAsk[];
let media: string[];
let refuse: RequestError | null;
let say: (event: SignalingEvent) => void;
let air: OnAir;
const inCall = signal(false);
const broadcast = signal<BroadcastView | null>(null);

beforeEach(() => {
  life = new AbortController();
  [asked, media, refuse] = [[], [], null];
  inCall.value = false;
  broadcast.value = null;
  vi.useFakeTimers();
  const call = {
    isOn: inCall,
    onAir: async (ask: OnAirAsk) => {
      asked.push(ask);
      if (refuse) throw refuse;
    },
    media: { enter: (why: string) => { media.push(`enter ${why}`); }, leave: (why: string) => { media.push(`leave ${why}`); } },
    devices: { close: () => { media.push('close'); }, forAir: async (on: boolean) => { media.push(`for air ${on}`); } },
  };
  const client = { listen: (listener: typeof say) => { say = listener; } };
  air = new OnAir(call as unknown as Call, { client, broadcast, user: signal<UserView>({ id: 'me', name: 'Me', guest: false }) } as never, null, life.signal);
});
afterEach(() => {
  life.abort();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const settle = () => vi.advanceTimersByTimeAsync(0);
const ends = () => asked.filter(({ ask }) => ask === 'end').length;
const isSeen = { guest: { user: 'me', name: 'Me', layout: 'inset' } } as BroadcastView;

test('a hand goes up, the broadcaster asks, and only a yes sends anything', async () => {
  await air.raise(true);
  expect(air.isRaised.value).toBe(true);
  say({ type: 'on_air_invited', expires_at_ms: 5 });
  expect([air.isRaised.value, air.state.value]).toEqual([false, { kind: 'asked', expiresAtMs: 5 }]);
  expect(media).toEqual([]);
  await air.accept();
  expect(asked.at(-1)).toEqual({ ask: 'answer', accept: true });
  expect(media).toEqual(['enter air']);
  expect(air.isSeen.value).toBe(false);
  broadcast.value = isSeen;
  expect(air.isSeen.value).toBe(true);
});

test('a yes that is refused leaves the question open and sends nothing', async () => {
  say({ type: 'on_air_invited', expires_at_ms: 5 });
  refuse = new RequestError('conflict', 'somebody is on', true);
  await expect(air.accept()).rejects.toBe(refuse);
  expect(air.state.value.kind).toBe('asked');
  expect(media).toEqual([]);
});

test('taken off air: nothing is sent and the camera is let go, unless a call needs it', async () => {
  say({ type: 'on_air_invited', expires_at_ms: 5 });
  await air.accept();
  say({ type: 'on_air_over', ended: true });
  expect([air.state.value.kind, air.ended.value]).toEqual(['off', 1]);
  expect(media).toEqual(['enter air', 'leave air', 'close']);
  inCall.value = true;
  say({ type: 'on_air_invited', expires_at_ms: 5 });
  await air.accept();
  air.leave();
  await settle();
  expect(air.state.value.kind).toBe('off');
  expect(asked.at(-1)).toEqual({ ask: 'end' });
  expect(media.slice(3)).toEqual(['enter air', 'leave air', 'for air false']);
});

test('an invitation that is taken back while it is answered sends nothing', async () => {
  say({ type: 'on_air_invited', expires_at_ms: 5 });
  const answered = air.accept();
  say({ type: 'on_air_over', ended: false });
  await answered;
  expect(air.state.value.kind).toBe('off');
  expect(media).not.toContain('enter air');
});

test('a session that was lost is nobody on air', async () => {
  say({ type: 'on_air_invited', expires_at_ms: 5 });
  await air.accept();
  say({ type: 'welcome', resumed: false } as never);
  expect(air.state.value.kind).toBe('off');
  expect(air.ended.value).toBe(0);
});

test('whoever leaves while signaling is away sends nothing more at once, and is off air once the server knows', async () => {
  say({ type: 'on_air_invited', expires_at_ms: 5 });
  await air.accept();
  refuse = RequestError.disconnected();
  air.leave();
  await settle();
  expect(media).toEqual(['enter air', 'leave air', 'close']);
  expect([air.state.value.kind, air.isOn.value]).toEqual(['leaving', true]);
  refuse = null;
  say({ type: 'welcome', resumed: true } as never);
  await settle();
  expect(ends()).toBe(2);
  expect([air.state.value.kind, air.isOn.value]).toEqual(['off', false]);
});

test('leaving that is not answered is said again; one that is refused has nothing to end', async () => {
  say({ type: 'on_air_invited', expires_at_ms: 5 });
  await air.accept();
  refuse = RequestError.timeout();
  air.leave();
  await settle();
  expect([ends(), air.state.value.kind]).toEqual([1, 'leaving']);
  refuse = new RequestError('conflict', 'you are not on air', false);
  await vi.advanceTimersByTimeAsync(500);
  expect([ends(), air.state.value.kind]).toEqual([2, 'off']);
});

test('a yes that is under way is not refused by closing the dialog', async () => {
  say({ type: 'on_air_invited', expires_at_ms: 5 });
  const answered = air.accept();
  await air.refuse();
  await answered;
  expect(asked).toEqual([{ ask: 'answer', accept: true }]);
  expect(air.state.value.kind).toBe('on');
});

test('a yes without an answer is taken back, because it may have been heard', async () => {
  say({ type: 'on_air_invited', expires_at_ms: 5 });
  refuse = RequestError.disconnected();
  await expect(air.accept()).rejects.toBe(refuse);
  expect([air.state.value.kind, air.isOn.value]).toEqual(['leaving', true]);
  refuse = null;
  say({ type: 'welcome', resumed: true } as never);
  await settle();
  expect(asked.at(-1)).toEqual({ ask: 'end' });
  expect(air.state.value.kind).toBe('off');
});

test('whom everybody sees is told so and can leave, whatever this page believes; nobody is nobody', async () => {
  expect(air.isSeen.value).toBe(false);
  broadcast.value = isSeen;
  expect([air.state.value.kind, air.isOn.value]).toEqual(['off', true]);
  air.leave();
  await settle();
  expect([ends(), air.state.value.kind]).toEqual([1, 'leaving']);
  broadcast.value = {} as BroadcastView;
  expect([air.state.value.kind, air.isOn.value]).toEqual(['off', false]);
  // Another page of theirs is on air, and stays so.
  broadcast.value = isSeen;
  air.leave();
  await vi.advanceTimersByTimeAsync(3_000);
  expect([ends(), air.state.value.kind, air.isOn.value]).toEqual([2, 'off', true]);
});
