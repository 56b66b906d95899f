import { expect, test } from 'vitest';
import { MediaClock, median, mediaTimeOf } from './media_time';

const map = { rtp0: 0xffff_ff00, ntp0Ms: 1_700_000_000_000, rateHz: 90_000 };

test('RTP timestamps map across the wrap in both directions', () => {
  expect(mediaTimeOf(map, 0xffff_ff00)).toBe(map.ntp0Ms);
  expect(mediaTimeOf(map, (0xffff_ff00 + 90_000) >>> 0)).toBe(map.ntp0Ms + 1000);
  expect(mediaTimeOf(map, 0xffff_ff00 - 9_000)).toBe(map.ntp0Ms - 100);
});

test('media time runs between frames and stands still when they stop', () => {
  const clock = new MediaClock();
  clock.setMap({ rtp0: 0, ntp0Ms: 5_000, rateHz: 90_000 });
  for (let frame = 0; frame <= 60; frame++) clock.frameShown(frame * 3_000, 100 + (frame * 100) / 3);
  const shown = 100 + 2_000;
  expect(clock.mediaNow(shown)).toBeCloseTo(7_000, 6);
  expect(clock.mediaNow(shown + 20)).toBeCloseTo(7_020, 6);
  const frozen = clock.mediaNow(shown + 5_000);
  expect(frozen).toBe(clock.mediaNow(shown + 9_000));
  expect(frozen).toBeGreaterThan(7_060);
  expect(frozen).toBeLessThan(7_070);
});

test('what is seen is the frame on screen and not a moment later, however late the next one is', () => {
  const clock = new MediaClock();
  expect(clock.seen(0)).toBeNull();
  clock.setMap({ rtp0: 0, ntp0Ms: 5_000, rateHz: 90_000 });
  for (let frame = 0; frame <= 60; frame++) clock.frameShown(frame * 3_000, 100 + (frame * 100) / 3);
  expect(clock.seen(2_100)).toBe(7_000);
  expect(clock.seen(2_150)).toBe(7_000);
  expect(clock.mediaNow(2_150)).toBeGreaterThan(7_040);
  // It has been handed over and is not on screen yet.
  expect(clock.seen(2_090)).toBeCloseTo(6_990, 6);
});

test('without a map or a frame there is no media time', () => {
  const clock = new MediaClock();
  clock.frameShown(1, 1);
  expect(clock.mediaNow(2)).toBeNull();
  clock.setMap(map);
  expect(clock.mediaNow(2)).not.toBeNull();
  clock.reset();
  expect(clock.mediaNow(2)).toBeNull();
});

test('the median of nothing is nothing', () => {
  expect(median([])).toBeNull();
  expect(median([3, 1, 2])).toBe(2);
});
