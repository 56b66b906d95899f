import { expect, test } from 'vitest';
import { METER_FLOOR_DB, METER_SEGMENTS, fallen, levelOf, segmentDb, segmentsLit } from './audio_meter';

test('a full-scale sine is -3 dB RMS and 0 dB peak', () => {
  const sine = Float32Array.from({ length: 4800 }, (_, index) => Math.sin((index * 2 * Math.PI) / 48));
  const { rmsDb, peakDb } = levelOf(sine);
  expect(rmsDb).toBeCloseTo(-3.01, 1);
  expect(peakDb).toBeCloseTo(0, 2);
});

test('silence rests on the floor and lights nothing, full scale lights everything', () => {
  expect(levelOf(new Float32Array(64))).toEqual({ rmsDb: METER_FLOOR_DB, peakDb: METER_FLOOR_DB });
  expect([segmentsLit(METER_FLOOR_DB), segmentsLit(0)]).toEqual([0, METER_SEGMENTS]);
  expect(segmentDb(METER_SEGMENTS - 1)).toBeCloseTo(0, 9);
});

test('the needle jumps up and falls slowly', () => {
  expect(fallen(-40, -10, 50)).toBe(-10);
  expect(fallen(-10, -60, 100)).toBe(-12);
});
