// Numbers as people read them. Pure; the words around them are in `words.ts`.

const count = new Intl.NumberFormat('en');

/** 18211 -> "18,211". */
export function formatCount(value: number): string {
  return count.format(value);
}

/** A delay behind the action: "<0.1 s" where tenths say nothing, "0.4 s" below ten seconds, "12 s" below a minute, "2 min" above. */
export function formatDelay(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 0.05) return '<0.1 s';
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  return `${Math.round(seconds / 60)} min`;
}

/** A match clock: "67:12", and "112:04" past 99 minutes. */
export function formatClock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

const timeOfDay = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

/** The clock on the reader's wall: "20:14". */
export function formatTime(ms: number): string {
  return timeOfDay.format(ms);
}

/** How many are new, where there is little room: "7", and "99+" past 99. */
export function formatNew(count: number): string {
  return count > 99 ? '99+' : String(count);
}

/** A length in words, kept on one line: "under a minute", "12 min", "1 h 5 min". */
export function formatLength(ms: number): string {
  const minutes = Math.floor(Math.max(0, ms) / 60_000);
  if (minutes < 1) return 'under a minute';
  if (minutes < 60) return `${minutes}\u00a0min`;
  return minutes % 60 === 0 ? `${minutes / 60}\u00a0h` : `${Math.floor(minutes / 60)}\u00a0h\u00a0${minutes % 60}\u00a0min`;
}

/** A bitrate: "96 kbps", "2.5 Mbps". */
export function formatBitrate(bps: number): string {
  if (bps < 999_500) return `${Math.round(bps / 1000)} kbps`;
  return `${(bps / 1_000_000).toFixed(1)} Mbps`;
}

/** A share of packets: "0 %", "0.02 %", "1.3 %". */
export function formatShare(share: number): string {
  const percent = Math.max(0, share) * 100;
  if (percent === 0) return '0 %';
  return `${percent < 0.1 ? percent.toFixed(2) : percent.toFixed(1)} %`;
}

/** A layer's name: "720p", with the frame rate where it is more than the usual 30: "720p50". */
export function formatLayer(layer: { width: number; height: number; frames_per_second: number; spatial: number }): string {
  // Upright pictures are named by their short side, as people do.
  const lines = Math.min(layer.width, layer.height);
  if (lines === 0) return `Layer ${layer.spatial + 1}`;
  return layer.frames_per_second > 34 ? `${lines}p${Math.round(layer.frames_per_second / 10) * 10}` : `${lines}p`;
}

/** How long ago: "just now", "5 min ago", "3 h ago", "yesterday", "12 days ago". */
export function formatAgo(ms: number): string {
  const minutes = Math.floor(Math.max(0, ms) / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${minutes}\u00a0min ago`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}\u00a0h ago`;
  const days = Math.floor(hours / 24);
  return days === 1 ? 'yesterday' : `${days} days ago`;
}
