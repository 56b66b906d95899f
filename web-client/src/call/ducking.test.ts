import { expect, test } from 'vitest';
import { Duck } from './ducking';

/** Decibels after each 10 ms of `spoken`: `true` for as long as somebody speaks. */
function run(duck: Duck, fromMs: number, forMs: number, speaking: boolean): number {
  let gain = 1;
  for (let now = fromMs; now <= fromMs + forMs; now += 10) gain = duck.handle(now, speaking);
  return 20 * Math.log10(gain);
}

test('the match goes down by 12 dB within 80 ms and no further', () => {
  const duck = new Duck();
  duck.handle(0, false);
  expect(run(duck, 0, 40, true)).toBeCloseTo(-6, 1);
  expect(run(duck, 50, 30, true)).toBeCloseTo(-12, 5);
  expect(run(duck, 90, 5_000, true)).toBeCloseTo(-12, 5);
});

test('it comes back within 600 ms, after a pause that is longer than one between words', () => {
  const duck = new Duck();
  run(duck, 0, 200, true);
  expect(run(duck, 210, 230, false)).toBeCloseTo(-12, 5);
  const half = run(duck, 450, 300, false);
  expect(half).toBeGreaterThan(-7);
  expect(half).toBeLessThan(-5);
  expect(run(duck, 760, 310, false)).toBe(0);
  expect(duck.isAtRest).toBe(true);
});

test('a word while it comes back takes it down again at once', () => {
  const duck = new Duck();
  run(duck, 0, 200, true);
  run(duck, 210, 500, false);
  expect(run(duck, 720, 80, true)).toBeCloseTo(-12, 5);
});

test('a tab that slept gets the state of now, not what it slept through', () => {
  const duck = new Duck();
  run(duck, 0, 100, true);
  expect(duck.handle(60_000, false)).toBe(1);
});
