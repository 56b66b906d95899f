// The match as it stands on the viewer's own screen: score, clock and moments up to the media time shown, and nothing after it.
import { type ReadonlySignal, signal } from '@preact/signals';
import type { WatchSession } from '../playback/session';
import type { BroadcastView, MarkerKind, MatchClock, Score } from '../protocol';
import { formatClock, formatLength } from '../ui/format';
import { HeldBack, clockAt, momentAt } from '../ui/score';

export type Moment = { id: string; kind: MarkerKind; label: string; time: string; /** Media time, ms. */ atMs: number };

export type MatchNow = {
  score: Score | null;
  /** "67:12" and "2nd half"; `null` when the broadcaster has set no clock. */
  clock: { text: string; period: string } | null;
  /** "12 min" since the broadcast began; `null` before it did. */
  elapsed: string | null;
  /** Newest first. */
  moments: readonly Moment[];
};

/** Fine enough for a clock that shows seconds. */
const READ_MS = 250;
/** The row below the picture; older moments stay on the timeline. */
const MOMENTS_SHOWN = 8;
/** A moment is played from this long before it, ms: how it came about is half of it. */
export const MOMENT_LEAD_MS = 5_000;
const NOTHING: MatchNow = { score: null, clock: null, elapsed: null, moments: [] };

/** Reads the match a few times a second until `until` aborts. The signal changes only when something to draw did. */
export function followMatch(session: Pick<WatchSession, 'broadcast' | 'mediaNow' | 'serverNow'>, until: AbortSignal): ReadonlySignal<MatchNow> {
  const now = signal<MatchNow>(NOTHING);
  const scores = new HeldBack<Score>();
  const clocks = new HeldBack<MatchClock>();
  const read = () => {
    const broadcast = session.broadcast.peek();
    if (!broadcast) return;
    const mediaMs = session.mediaNow();
    // Without a picture there is nothing to spoil: the live edge serves.
    const atMs = mediaMs ?? session.serverNow() ?? Date.now();
    scores.push(broadcast.score ?? null);
    clocks.push(broadcast.clock ?? null);
    const clock = clocks.at(mediaMs);
    const next: MatchNow = {
      score: scores.at(mediaMs),
      clock: clock && { text: formatClock(clockAt(clock, atMs)), period: clock.period },
      elapsed: broadcast.started_at_ms === undefined ? null : formatLength((broadcast.ended_at_ms ?? atMs) - broadcast.started_at_ms),
      moments: momentsUpTo(broadcast, atMs),
    };
    if (JSON.stringify(next) !== JSON.stringify(now.peek())) now.value = next;
  };
  const timer = setInterval(read, READ_MS);
  until.addEventListener('abort', () => clearInterval(timer), { once: true });
  return now;
}

export function momentsUpTo(broadcast: BroadcastView, mediaMs: number): readonly Moment[] {
  return broadcast.markers
    .filter((marker) => marker.media_time_ms <= mediaMs)
    .sort((a, b) => b.media_time_ms - a.media_time_ms)
    .slice(0, MOMENTS_SHOWN)
    .map((marker) => ({ id: marker.id, kind: marker.kind, label: marker.label, atMs: marker.media_time_ms, time: `${Math.floor(momentAt(marker, broadcast) / 60_000) + 1}′` }));
}
