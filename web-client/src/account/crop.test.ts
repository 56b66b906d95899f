import { expect, test } from 'vitest';
import { ZOOM_MAX, moved, squareOf, wholeCrop, zoomed } from './crop';

const WIDE = { width: 400, height: 200 };

test('the whole of a wide picture is its middle square', () => {
  expect(squareOf(WIDE, wholeCrop(WIDE))).toEqual({ left: 100, top: 0, side: 200 });
});

test('the picture follows the finger and never leaves the frame empty', () => {
  const crop = moved(WIDE, wholeCrop(WIDE), 0.25, 0.25);
  expect(squareOf(WIDE, crop)).toEqual({ left: 50, top: 0, side: 200 });
  expect(squareOf(WIDE, moved(WIDE, crop, 9, 0))).toEqual({ left: 0, top: 0, side: 200 });
  expect(squareOf(WIDE, moved(WIDE, crop, -9, 0))).toEqual({ left: 200, top: 0, side: 200 });
});

test('enlarging keeps the middle, has a bound, and going back stays inside', () => {
  const close = zoomed(WIDE, wholeCrop(WIDE), 2);
  expect(squareOf(WIDE, close)).toEqual({ left: 150, top: 50, side: 100 });
  const corner = moved(WIDE, close, 9, 9);
  expect(squareOf(WIDE, corner)).toEqual({ left: 0, top: 0, side: 100 });
  expect(squareOf(WIDE, zoomed(WIDE, corner, 0.1))).toEqual({ left: 0, top: 0, side: 200 });
  expect(zoomed(WIDE, corner, 99).zoom).toBe(ZOOM_MAX);
});
