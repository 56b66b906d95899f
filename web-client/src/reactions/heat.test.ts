import { expect, test } from 'vitest';
import { Heat, columnsOf, outlineOf } from './heat';

test('what comes is added to what the server has summed, and is not counted twice', () => {
  const heat = new Heat();
  heat.add(25_000, 3);
  heat.take({ step_ms: 10_000, points: [{ at_ms: 0, count: 5 }, { at_ms: 20_000, count: 7 }] });
  expect(heat.points.value).toEqual([{ at_ms: 0, count: 5 }, { at_ms: 20_000, count: 7 }]);
  heat.add(29_999, 1);
  heat.add(10_000, 2);
  expect(heat.points.value).toEqual([{ at_ms: 0, count: 5 }, { at_ms: 10_000, count: 2 }, { at_ms: 20_000, count: 8 }]);
});

test('steps are bounded, the oldest go', () => {
  const heat = new Heat();
  for (let step = 0; step < 4_330; step++) heat.add(step * 10_000, 1);
  expect([heat.points.value.length, heat.points.value[0]?.at_ms]).toEqual([4_320, 100_000]);
});

test('columns are relative to the most there was, and what lies outside of the span is left out', () => {
  const points = [{ at_ms: -50_000, count: 100 }, { at_ms: 0, count: 4 }, { at_ms: 30_000, count: 16 }, { at_ms: 90_000, count: 100 }];
  expect(columnsOf(points, { fromMs: 0, toMs: 40_000, stepMs: 10_000 }, 4)).toEqual([0.5, 0, 0, 1]);
  expect(columnsOf([], { fromMs: 0, toMs: 40_000, stepMs: 10_000 }, 2)).toEqual([0, 0]);
  expect(columnsOf(points, { fromMs: 5, toMs: 5, stepMs: 10_000 }, 2)).toEqual([0, 0]);
});

test('the outline is closed along the bottom', () => {
  expect(outlineOf([0, 1])).toBe('M0 100C125 100 125 100 250 100C500 100 500 4 750 4C875 4 875 100 1000 100Z');
});
