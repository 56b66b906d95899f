import { expect, test } from 'vitest';
import { formatAgo, formatBitrate, formatClock, formatDelay, formatLayer, formatLength, formatNew, formatShare, formatTime } from './format';

test('a delay loses its tenths once they no longer matter and is never none', () => {
  expect([-20, 412, 9949, 12_300, 95_000].map(formatDelay)).toEqual(['<0.1 s', '0.4 s', '9.9 s', '12 s', '2 min']);
});

test('a match clock goes on past an hour in minutes', () => {
  expect([0, 4_032_000, 6_724_999].map(formatClock)).toEqual(['0:00', '67:12', '112:04']);
});

test('lengths are told in the largest two units', () => {
  expect([59_000, 720_000, 3_600_000, 6_720_000].map(formatLength)).toEqual(['under a minute', '12\u00a0min', '1\u00a0h', '1\u00a0h\u00a052\u00a0min']);
});

test('bitrates change unit at one megabit', () => {
  expect([96_000, 999_400, 999_600, 2_480_000].map(formatBitrate)).toEqual(['96 kbps', '999 kbps', '1.0 Mbps', '2.5 Mbps']);
});

test('a small loss keeps two digits and none is a plain zero', () => {
  expect([0, 0.0002, 0.013].map(formatShare)).toEqual(['0 %', '0.02 %', '1.3 %']);
});

test('a layer is named by its short side, and by its frame rate when that is high', () => {
  const layer = (width: number, height: number, frames_per_second: number) => formatLayer({ spatial: 1, width, height, frames_per_second });
  expect([layer(1280, 720, 30), layer(1920, 1080, 49.6), layer(720, 1280, 25), layer(0, 0, 0)]).toEqual(['720p', '1080p50', '720p', 'Layer 2']);
});

test('the past is told in its largest unit', () => {
  expect([-5_000, 59_000, 300_000, 11_000_000, 90_000_000, 1_040_000_000].map(formatAgo)).toEqual([
    'just now', 'just now', '5\u00a0min ago', '3\u00a0h ago', 'yesterday', '12 days ago',
  ]);
});

test('the time of day has four digits', () => {
  expect([[9, 5], [20, 14], [0, 0]].map(([hour, minute]) => formatTime(new Date(2026, 10, 27, hour, minute).getTime()))).toEqual(['09:05', '20:14', '00:00']);
});

test('more than can be taken in at a glance is not counted out', () => {
  expect([1, 99, 100, 12_000].map(formatNew)).toEqual(['1', '99', '99+', '99+']);
});
