import { signal } from '@preact/signals';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Playback } from '../watch/playback';
import type { Call } from './call';
import { member } from './fake_session';
import { lowerMatch } from './lowering';

let life: AbortController;
const shares: number[] = [];
const isIn = signal(true);
const isWanted = signal(true);
const speaker = signal<ReturnType<typeof member> | null>(null);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('document', { createElement: () => ({ volume: 1 }) });
  life = new AbortController();
  shares.length = 0;
  [isIn.value, isWanted.value, speaker.value] = [true, true, null];
  const playback = { lower: (share: number) => { shares.push(share); }, playThrough: () => undefined };
  lowerMatch({ isIn, speaker } as unknown as Call, playback as unknown as Playback, isWanted, life.signal);
});
afterEach(() => {
  life.abort();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test('the match goes down while a friend speaks and comes back whole', () => {
  vi.advanceTimersByTime(300);
  speaker.value = member(2);
  vi.advanceTimersByTime(110);
  expect(20 * Math.log10(shares.at(-1) ?? 1)).toBeCloseTo(-12, 1);
  speaker.value = null;
  vi.advanceTimersByTime(900);
  expect(shares.at(-1)).toBe(1);
});

test('somebody who does not want it hears the match as it is', () => {
  isWanted.value = false;
  speaker.value = member(2);
  vi.advanceTimersByTime(2_000);
  expect(Math.min(...shares)).toBe(1);
});

test('the end of a call brings the match back at once', () => {
  speaker.value = member(2);
  vi.advanceTimersByTime(200);
  isIn.value = false;
  expect(shares.at(-1)).toBe(1);
  vi.advanceTimersByTime(1_000);
  expect(shares.at(-1)).toBe(1);
});
