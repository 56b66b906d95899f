import { expect, test } from 'vitest';
import { DRAWN_MAX, windowAtEnd, windowOf } from './window';

const lines = (count: number, height = 20): number[] => Array.from({ length: count }, () => height);

test('what is seen is drawn, with a margin, and the rest is empty space of the right height', () => {
  const window = windowOf(lines(1_000), 4_000, 400, 100);
  expect(window).toEqual({ from: 195, to: 225, above: 3_900, below: 15_500 });
  expect(window.above + (window.to - window.from) * 20 + window.below).toBe(20_000);
});

test('the end is drawn to the last line, the beginning from the first', () => {
  expect(windowAtEnd(lines(1_000), 400, 100).to).toBe(1_000);
  expect(windowOf(lines(1_000), 0, 400, 100)).toMatchObject({ from: 0, above: 0, to: 25 });
  expect(windowOf([], 0, 400, 100)).toEqual({ from: 0, to: 0, above: 0, below: 0 });
  expect(windowAtEnd(lines(3), 400, 100)).toEqual({ from: 0, to: 3, above: 0, below: 0 });
});

test('the number of lines drawn has a bound, however low they are', () => {
  const { from, to } = windowOf(lines(5_000, 1), 1_000, 4_000, 100);
  expect(to - from).toBe(DRAWN_MAX);
});
