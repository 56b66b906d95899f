import { expect, test } from 'vitest';
import type { BroadcastView } from '../protocol';
import { lineTime } from './time';

const said = (mediaMs: number) => ({
  kind: 'message', key: 'k', removed: false,
  message: { id: '1-1', author: { id: 'u', name: 'N', role: 'viewer', guest: true }, text: 'x', sent_at_ms: 0, media_time_ms: mediaMs },
}) as const;

test('by the match clock, in the minute that is being played', () => {
  const broadcast = { clock: { running: true, elapsed_ms: 60_000 * 66, at_media_ms: 1_000_000, period: '' } } as BroadcastView;
  expect(lineTime(said(1_000_000), broadcast)).toBe('67′');
  expect(lineTime(said(1_000_000 - 60_000), broadcast)).toBe('66′');
  expect(lineTime({ kind: 'note', key: 'n', note: { kind: 'moment', label: 'Goal', time: '66′' }, atMs: 0 }, broadcast)).toBe('66′');
});

test('without one by the clock on the wall', () => {
  const noon = new Date(2026, 10, 27, 12, 5).getTime();
  expect(lineTime(said(noon), null)).toBe('12:05');
});
