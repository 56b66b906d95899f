import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Ringing, quiet, quietAll, rang, ringing } from './rings';

const ring = (call: string): Ringing => ({ call, from: { id: 'ann', name: 'Ann', picture_version: 0 }, watching: null, decline: () => undefined });

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  quietAll();
  vi.useRealTimers();
});

test('a call rings until its time is over, and no longer than a minute whatever the clocks say', () => {
  rang(ring('a'), 45_000);
  rang(ring('b'), 10 ** 9);
  vi.advanceTimersByTime(44_000);
  expect(ringing.value.map(({ call }) => call)).toEqual(['a', 'b']);
  vi.advanceTimersByTime(2_000);
  expect(ringing.value.map(({ call }) => call)).toEqual(['b']);
  vi.advanceTimersByTime(20_000);
  expect(ringing.value).toEqual([]);
});

test('the same call rings once, an answered one no more, and a storm of calls stays three', () => {
  rang(ring('a'), 10_000);
  rang(ring('a'), 10_000);
  expect(ringing.value).toHaveLength(1);
  quiet('a');
  expect(ringing.value).toHaveLength(0);
  for (const call of ['a', 'b', 'c', 'd']) rang(ring(call), 10_000);
  expect(ringing.value).toHaveLength(3);
});
