import { expect, test } from 'vitest';
import type { PublisherHealth } from '../lib/publisher_state';
import { adviceFor, judgeFrameRate, judgeLoss, judgeUpload, sparkline } from './health';

const GOOD: PublisherHealth = {
  uploadBps: 3e6, framesPerSecond: 30, loss: 0, roundTripMs: 20, availableBps: null, codec: 'h264', encoder: null, transport: 'udp', limitedBy: 'none', layers: [],
};
const minute = (change: (second: number) => Partial<PublisherHealth>): PublisherHealth[] =>
  Array.from({ length: 60 }, (_, second) => ({ ...GOOD, ...change(second) }));

test('a steady minute is called steady and gets no advice', () => {
  const history = minute((second) => ({ uploadBps: 3e6 + (second % 3) * 1e5 }));
  expect(judgeUpload(history)).toEqual({ word: 'steady', trouble: false });
  expect(judgeLoss(history)).toEqual({ word: 'none', trouble: false });
  expect(judgeFrameRate(history, 30)).toEqual({ word: 'steady', trouble: false });
  expect(adviceFor(history)).toBeNull();
});

test('loss that climbs is said to rise', () => {
  expect(judgeLoss(minute((second) => ({ loss: second > 50 ? 0.018 + second / 2000 : 0.002 })))).toEqual({ word: 'rising', trouble: true });
});

test('an upload held down by the network is limited and earns advice, the ramp at the start does not', () => {
  const held = minute(() => ({ limitedBy: 'bandwidth' as const }));
  expect(judgeUpload(held)).toEqual({ word: 'limited', trouble: true });
  expect(adviceFor(held)).toBe('bandwidth');
  expect(adviceFor(held.slice(0, 28))).toBeNull();
});

test('before the first reading nothing is claimed', () => {
  expect(judgeUpload([]).word).toBe('measuring');
  expect(judgeLoss(minute(() => ({ loss: null }))).word).toBe('measuring');
});

test('the line ends at the right edge with the newest reading', () => {
  expect(sparkline([0, 1, 2], 100, 20, 60)).toMatch(/L100\.0 2\.6$/);
  expect(sparkline([1], 100, 20, 60)).toBe('');
});
