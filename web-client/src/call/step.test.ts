import { computed, signal } from '@preact/signals';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
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
let wished: number | null = null;
/** How long the past and a stop take; `null`: no time. */
let slow: { pastMs: number; pauseMs: number; /** From one moment of the past to another. */ seekMs?: number } | null = null;
const later = (ms: number | undefined, what: () => void): void => { if (ms === undefined) what(); else if (ms < Infinity) setTimeout(what, ms); };

beforeEach(() => {
  vi.useFakeTimers();
  life = new AbortController();
  [calls, told] = [[], []];
  [acts.value, place.value, paused.value, position, wished] = [0, 'live', false, SERVER - 300, null];
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
      playFrom: (ms) => {
        calls.push(`from ${SERVER - ms}`);
        acts.value += 1;
        if (ms > SERVER - 4_000) {
          place.value = 'live';
          return;
        }
        wished = ms;
        if (place.peek() === 'past') {
          later(slow?.seekMs, () => { position = ms; });
          return;
        }
        position = ms;
        place.value = slow ? 'going' : 'past';
        later(slow?.pastMs, () => { if (place.peek() === 'going') place.value = 'past'; });
      },
      goLive: () => { calls.push('live'); acts.value += 1; place.value = 'live'; },
      position: () => wished ?? position, mediaNow: () => position, serverNow: () => SERVER,
    },
    { paused, held: signal(false), play: async () => {
      calls.push('play');
      later(slow?.pauseMs, () => { paused.value = false; });
    }, toggle: () => {
      calls.push('toggle');
      const to = !paused.value;
      later(slow?.pauseMs, () => { paused.value = to; });
    } },
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

describe('where things take their time', () => {
  /** As browsers do it: the past takes longer than what is told takes to settle, and an element stops after it was told to. */
  beforeEach(() => {
    slow = { pastMs: 900, pauseMs: 30 };
  });
  afterEach(() => {
    slow = null;
  });

  test.each([[false, 'somebody who plays'], [true, 'somebody who has stopped']])('into a stopped call nobody is made to go on (stopped here: %s)', async (stoppedHere) => {
    paused.value = stoppedHere;
    await settle();
    told.length = 0;
    others({ at: 'paused', media_time_ms: SERVER - 60_000 });
    await vi.advanceTimersByTimeAsync(700);
    expect([place.value, told]).toEqual(['going', []]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect([place.value, paused.value, told]).toEqual(['past', true, []]);
  });

  test('a stop so near to the action that it cannot be gone to stops the picture where it is', async () => {
    position = SERVER - 300;
    others({ at: 'paused', media_time_ms: SERVER - 3_500 });
    await vi.advanceTimersByTimeAsync(2_000);
    expect([place.value, paused.value, told]).toEqual(['live', true, []]);
  });

  test('from the past such a stop is gone to as near as there is something recorded', async () => {
    [place.value, position] = ['past', SERVER - 60_000];
    others({ at: 'paused', media_time_ms: SERVER - 2_000 });
    await vi.advanceTimersByTimeAsync(2_000);
    expect([place.value, position, paused.value, told]).toEqual(['past', SERVER - 6_000, true, []]);
  });

  test('what friends do is not told back, and what this person does after it is', async () => {
    others({ at: 'paused', media_time_ms: position });
    await vi.advanceTimersByTimeAsync(1_000);
    others({ at: 'live' });
    await vi.advanceTimersByTimeAsync(1_000);
    expect([paused.value, told]).toEqual([false, []]);
    paused.value = true;
    await settle();
    expect(told).toEqual([{ at: 'paused', media_time_ms: position }]);
  });

  test('from one moment of the past to another it stops at the other; where that never comes it stops all the same, and is told again what is done', async () => {
    [place.value, position] = ['past', SERVER - 90_000];
    slow = { pastMs: 900, pauseMs: 30, seekMs: 1_200 };
    others({ at: 'paused', media_time_ms: SERVER - 60_000 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect([place.value, paused.value]).toEqual(['past', false]);
    await vi.advanceTimersByTimeAsync(500);
    expect([position, paused.value, told]).toEqual([SERVER - 60_000, true, []]);
    slow = { pastMs: Infinity, pauseMs: 30, seekMs: Infinity };
    others({ at: 'paused', media_time_ms: SERVER - 30_000 });
    await vi.advanceTimersByTimeAsync(11_000);
    expect([paused.value, told]).toEqual([true, []]);
    paused.value = false;
    await settle();
    expect(told).toHaveLength(1);
  });

  test('whoever goes live on the way to a stop goes live with everybody', async () => {
    others({ at: 'paused', media_time_ms: SERVER - 60_000 });
    await vi.advanceTimersByTimeAsync(400);
    acts.value += 1;
    place.value = 'live';
    await settle();
    expect(told).toEqual([{ at: 'live' }]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(paused.value).toBe(false);
  });
});
