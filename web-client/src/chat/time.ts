// When something was said: by the match clock where there is one, else by the clock on the wall. Pure.
import type { BroadcastView } from '../protocol';
import { formatTime } from '../ui/format';
import { clockAt } from '../ui/score';
import type { Line } from './log';

export function lineTime(line: Line, broadcast: BroadcastView | null): string {
  switch (line.kind) {
    case 'message': return timeOf(line.message.media_time_ms ?? line.message.sent_at_ms, broadcast);
    case 'pending': return timeOf(line.pending.mediaMs ?? line.sentAtMs, broadcast);
    case 'note': return line.note.kind === 'moment' ? line.note.time : timeOf(line.atMs, broadcast);
  }
}

/** "67′", or "20:14". */
function timeOf(momentMs: number, broadcast: BroadcastView | null): string {
  if (broadcast?.clock) return `${Math.floor(clockAt(broadcast.clock, momentMs) / 60_000) + 1}′`;
  return formatTime(momentMs);
}
