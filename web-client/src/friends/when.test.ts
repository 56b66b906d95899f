import { expect, test } from 'vitest';
import { dayName, shortTime } from './when';

const at = (day: number, hour: number, minute = 0): number => new Date(2026, 2, day, hour, minute).getTime();

test('today has a clock, the week its days, the rest its date', () => {
  const now = at(20, 1, 30);
  expect([at(20, 0, 5), at(19, 23, 59), at(14, 12), at(13, 12)].map((ms) => shortTime(ms, now))).toEqual(['00:05', 'Thu', 'Sat', 'Mar 13']);
});

test('a clock that is a little ahead is still today', () => {
  expect(shortTime(at(20, 0, 1), at(19, 23, 59))).toBe('00:01');
});

test('days are named as people name them', () => {
  const now = at(20, 1, 30);
  expect([at(20, 0, 5), at(19, 23, 59), at(3, 12)].map((ms) => dayName(ms, now))).toEqual(['Today', 'Yesterday', 'March 3, 2026']);
});
