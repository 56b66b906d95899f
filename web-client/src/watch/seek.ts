// Where things lie on the seek bar. Pure.
import type { BroadcastView, Marker } from '../protocol';
import type { Recorded } from '../playback/hls_time';

/** What the bar reaches over, media time, ms since the Unix epoch. */
export type Span = { fromMs: number; toMs: number };

/** A bar shorter than this says nothing, ms. */
const SHORTEST_MS = 10_000;

/**
 * While it is live: from the beginning of what is kept to the action. Once over: the whole of it. `recorded` says more exactly where it begins,
 * once it has been loaded, and where what is over ends.
 */
export function spanOf(broadcast: BroadcastView, recorded: Recorded | null, serverMs: number): Span {
  const beganMs = broadcast.started_at_ms ?? serverMs;
  if (broadcast.state === 'ended') {
    const endMs = recorded?.toMs ?? broadcast.ended_at_ms ?? serverMs;
    return { fromMs: Math.min(recorded?.fromMs ?? beganMs, endMs - 1_000), toMs: endMs };
  }
  const windowMs = broadcast.dvr ? broadcast.dvr.window_s * 1000 : 0;
  const fromMs = Math.max(recorded?.fromMs ?? beganMs, serverMs - windowMs);
  return { fromMs: Math.min(fromMs, serverMs - SHORTEST_MS), toMs: serverMs };
}

/** 0 to 1. */
export function shareOf({ fromMs, toMs }: Span, atMs: number): number {
  return Math.min(1, Math.max(0, (atMs - fromMs) / (toMs - fromMs)));
}

export function momentOf({ fromMs, toMs }: Span, share: number): number {
  return fromMs + Math.min(1, Math.max(0, share)) * (toMs - fromMs);
}

/** Those that lie on the bar and may be known: nobody is told of a goal that has not been on their screen. */
export function ticksOf(markers: readonly Marker[], { fromMs, toMs }: Span, knownUpToMs: number): readonly Marker[] {
  return markers.filter(({ media_time_ms: at }) => at >= fromMs && at <= Math.min(toMs, knownUpToMs)).sort((a, b) => a.media_time_ms - b.media_time_ms);
}

/** "12:04", "1:02:33". */
export function formatPlace(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
