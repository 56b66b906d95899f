import { expect, test } from 'vitest';
import type { ViewerPhase } from '../lib/viewer_state';
import type { BroadcastView } from '../protocol';
import { curtainOf } from './curtain';

test('only a playing picture has no curtain', () => {
  const phases: ViewerPhase[] = [
    { kind: 'connecting' }, { kind: 'waiting' }, { kind: 'reconnecting', why: 'publisher', sinceMs: 0 }, { kind: 'reconnecting', why: 'network', sinceMs: 0 },
    { kind: 'ended' }, { kind: 'blocked', reason: 'network' }, { kind: 'blocked', reason: 'codec', codec: 'h264' }, { kind: 'refused', code: 'forbidden' },
    { kind: 'refused', code: 'unsupported_protocol' }, { kind: 'full' }, { kind: 'not_found' },
  ];
  for (const phase of phases) expect(curtainOf(phase, null, null)?.title, phase.kind).toBeTruthy();
  expect(curtainOf({ kind: 'playing' }, null, null)).toBeNull();
});

test('full time names the side that is ahead first', () => {
  const broadcast = (home: number, away: number) => ({ teams: { home: { name: 'Northgate' }, away: { name: 'Port Alder' } }, score: { home, away } }) as BroadcastView;
  expect(curtainOf({ kind: 'ended' }, broadcast(3, 1), null)?.title).toBe('Full time. Northgate 3–1');
  expect(curtainOf({ kind: 'ended' }, broadcast(0, 2), null)?.title).toBe('Full time. Port Alder 2–0');
  expect(curtainOf({ kind: 'ended' }, broadcast(1, 1), null)?.title).toBe('Full time. 1–1');
});

test('a drop names the match time it happened at when that is known', () => {
  expect(curtainOf({ kind: 'reconnecting', why: 'network', sinceMs: 0 }, null, '67:12')?.line).toContain('at 67:12');
  expect(curtainOf({ kind: 'reconnecting', why: 'network', sinceMs: 0 }, null, null)?.line).toContain('dropped.');
});

test('a replay is offered without telling how it ended', () => {
  const broadcast = { replay: true, started_at_ms: 0, ended_at_ms: 5_400_000, teams: { home: { name: 'Northgate' }, away: { name: 'Port Alder' } }, score: { home: 3, away: 1 } } as BroadcastView;
  const curtain = curtainOf({ kind: 'ended' }, broadcast, null);
  expect(curtain).toMatchObject({ title: 'Watch it back', actions: ['replay', 'home'] });
  expect(curtain?.line).toContain('1\u00a0h\u00a030\u00a0min');
});
