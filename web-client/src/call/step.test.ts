import { computed, signal } from '@preact/signals';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Place } from '../playback/session';
import type { CallMember, CallPlay, CallView } from '../protocol';
import { callOf, member } from './fake_session';
import { keepInStep } from './step';

const SERVER = 1_000_000;
let life: AbortController;
let calls: string[];
let told: CallPlay[];
const acts = signal(0);
const place = signal<Place>('live');
const paused = signal(false);
const view = signal<CallView | null>(null);
const me = signal<CallMember | null>(null);
const played = signal<{ by: number | null; play: CallPlay } | null>(null);
const targetMs = signal<number | null>(null);
let position = SERVER - 300;

beforeEach(() => {
  vi.useFakeTimers();
  life = new AbortController();
  [calls, told] = [[], []];
  [acts.value, place.value, paused.value, position] = [0, 'live', false, SERVER - 300];
  [view.value, me.value, played.value, targetMs.value] = [callOf([member(1), member(2)]), member(1), null, null];
  keepInStep(
    {
      isIn: computed(() => true), me, targetMs, played, view,
      play: async (play) => { told.push(play); view.value = { ...view.value!, play }; },
      tellPace: ({ behindMs }) => { calls.push(`pace ${behindMs}`); },
    },
    {
      acts, place,
      keepBehind: (ms) => { calls.push(`keep ${ms}`); },
      pace: () => ({ behindMs: 300, leastMs: 200 }),
      playFrom: (ms) => { calls.push(`from ${SERVER - ms}`); acts.value += 1; place.value = 'past'; position = ms; },
      goLive: () => { calls.push('live'); acts.value += 1; place.value = 'live'; },
      position: () => position, mediaNow: () => position, serverNow: () => SERVER,
    },
    { paused, held: signal(false), play: async () => { calls.push('play'); paused.value = false; }, toggle: () => { calls.push('toggle'); paused.value = !paused.value; } },
    () => undefined,
    life.signal,
  );
  calls.length = 0;
});
afterEach(() => {
  life.abort();
  vi.useRealTimers();
});
const settle = () => vi.advanceTimersByTimeAsync(300);
const others = (play: CallPlay) => {
  view.value = { ...view.value!, play };
  played.value = { by: 2, play };
};

test('what a friend does happens here and is not told back', async () => {
  others({ at: 'behind', behind_ms: 45_000 });
  expect(calls).toEqual(['from 45000']);
  others({ at: 'paused', media_time_ms: position });
  expect(calls).toEqual(['from 45000', 'toggle']);
  others({ at: 'live' });
  expect(calls).toEqual(['from 45000', 'toggle', 'live', 'play']);
  await settle();
  expect(told).toEqual([]);
});

test('what this person does is told once, as what came of it', async () => {
  place.value = 'going';
  position = SERVER - 20_000;
  acts.value += 1;
  acts.value += 1;
  await settle();
  expect(told).toEqual([{ at: 'behind', behind_ms: 20_000 }]);
  paused.value = true;
  await settle();
  expect(told.at(-1)).toEqual({ at: 'paused', media_time_ms: position });
  paused.value = false;
  place.value = 'live';
  await settle();
  expect(told.at(-1)).toEqual({ at: 'live' });
  expect(told).toHaveLength(3);
});

test('a stop of friends elsewhere in the match stops there, once it is on screen', () => {
  others({ at: 'paused', media_time_ms: SERVER - 60_000 });
  expect(calls).toEqual(['from 60000', 'toggle']);
});

test('out of step nothing goes either way; stepping in goes to where the others are', async () => {
  me.value = member(1, { in_step: false });
  others({ at: 'behind', behind_ms: 45_000 });
  acts.value += 1;
  await settle();
  expect([calls.filter((one) => one !== 'pace 300'), told]).toEqual([[], []]);
  me.value = member(1);
  expect(calls).toContain('from 45000');
});

test('the picture is kept where the call says, its pace is told each second, and the end lets it go', async () => {
  targetMs.value = 420;
  expect(calls).toEqual(['keep 420']);
  await vi.advanceTimersByTimeAsync(2_100);
  expect(calls.filter((one) => one === 'pace 300')).toHaveLength(2);
  life.abort();
  expect(calls.at(-1)).toBe('keep null');
});
