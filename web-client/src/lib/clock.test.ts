import { expect, test } from 'vitest';
import { BACKOFF_CAP_MS, backoffMs } from './backoff';
import { ServerClock } from './clock';

const EPOCH = 1_700_000_000_000;

test('the exchange with the shortest round trip decides the offset', () => {
  const clock = new ServerClock();
  // True offset EPOCH; the slow exchange is lopsided by 200 ms.
  clock.sample(0, EPOCH + 300, 400);
  clock.sample(1000, EPOCH + 1005, 1010);
  clock.sample(2000, EPOCH + 2250, 2300);
  expect(clock.serverNow(3000)).toBe(EPOCH + 3000);
  expect(clock.localTime(EPOCH + 3000)).toBe(3000);
  expect(clock.roundTripMs).toBe(10);
});

test('an old good sample gives way, because clocks drift', () => {
  const clock = new ServerClock();
  clock.sample(0, EPOCH + 1, 2);
  clock.sample(200_000, EPOCH + 200_030, 200_040);
  expect(clock.serverNow(200_040)).toBe(EPOCH + 200_050);
});

test('before the first exchange there is no server time', () => {
  expect(new ServerClock().serverNow(5)).toBeNull();
});

test('back-off doubles to its cap and never leaves the upper half', () => {
  expect([0, 1, 2, 5, 6, 60].map((attempt) => backoffMs(attempt, 1))).toEqual([250, 500, 1000, 8000, 8000, BACKOFF_CAP_MS]);
  expect(backoffMs(3, 0)).toBe(1000);
});
