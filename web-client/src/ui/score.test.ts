import { expect, test } from 'vitest';
import type { BroadcastView } from '../protocol';
import { HeldBack, clockAt, momentAt } from './score';

const score = (home: number, at_media_ms: number) => ({ home, away: 0, at_media_ms });

test('a goal shows only once the picture has reached it', () => {
  const held = new HeldBack<ReturnType<typeof score>>();
  held.push(score(0, 1_000));
  expect(held.at(2_000)?.home).toBe(0);
  held.push(score(1, 5_000));
  expect(held.at(4_999)?.home).toBe(0);
  expect(held.at(5_000)?.home).toBe(1);
});

test('a score shown stays when the picture freezes or the clock is lost', () => {
  const held = new HeldBack<ReturnType<typeof score>>();
  held.push(score(2, 1_000));
  held.at(1_000);
  held.push(score(3, 9_000));
  expect(held.at(null)?.home).toBe(2);
});

test('a correction stamped before a waiting goal replaces it', () => {
  const held = new HeldBack<ReturnType<typeof score>>();
  held.push(score(0, 0));
  held.at(1);
  held.push(score(1, 9_000));
  held.push(score(0, 8_000));
  expect(held.at(20_000)?.home).toBe(0);
});

test('before any media time is known the first score shows, so that a page without a picture has one', () => {
  const held = new HeldBack<ReturnType<typeof score>>();
  held.push(score(2, 1_000));
  expect(held.at(null)?.home).toBe(2);
});

test('a running clock goes on from its stamp and a stopped one stands', () => {
  expect(clockAt({ running: true, elapsed_ms: 60_000, at_media_ms: 500, period: '' }, 1_500)).toBe(61_000);
  expect(clockAt({ running: false, elapsed_ms: 60_000, at_media_ms: 500, period: '' }, 1_500)).toBe(60_000);
});

test('a moment is told by the match clock when there is one', () => {
  const marker = { id: 'm', kind: 'goal', label: '', media_time_ms: 40_000 } as const;
  const broadcast = { started_at_ms: 10_000, markers: [] } as unknown as BroadcastView;
  expect(momentAt(marker, broadcast)).toBe(30_000);
  expect(momentAt(marker, { ...broadcast, clock: { running: true, elapsed_ms: 600_000, at_media_ms: 50_000, period: '' } })).toBe(590_000);
});
