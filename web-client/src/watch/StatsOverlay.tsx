// The statistics overlay: the whole delay first, then where it goes, then what the stream is made of. One reading a second.
import { useRef } from 'preact/hooks';
import type { ViewerStats } from '../lib/viewer_state';
import { IconButton } from '../ui/Button';
import { formatBitrate, formatCount, formatShare } from '../ui/format';
import { x } from '../ui/icons';
import { words } from '../words';

/** Readings kept for the lines: half a minute. */
const KEPT = 30;
type History = { bitrate: number[]; roundTrip: number[]; loss: number[]; dropped: number[] };

export function StatsOverlay({ stats, onClose }: { stats: ViewerStats | null; onClose: () => void }) {
  const history = useHistory(stats);
  const say = words.stats;
  const ms = (value: number | null | undefined) => (value === null || value === undefined ? say.unknown : say.ms(value));
  return (
    <section class="layer stats over" aria-label={say.title}>
      <h2>
        {say.title}
        <IconButton icon={x} label={words.common.close} shortcut="I" tip="end" below onClick={onClose} />
      </h2>
      <p class="total num"><span>{say.total}</span><b>{ms(stats?.totalDelayMs)}</b></p>
      <Budget stats={stats} />
      <dl class="num">
        <Fact name={say.transport} value={stats?.transport ? say.transports[stats.transport] ?? stats.transport : say.unknown} />
        <Fact name={say.picture} value={stats && stats.width > 0 ? say.pictureValue(stats.width, stats.height, Math.round(stats.framesPerSecond)) : say.unknown} />
        <Fact name={say.bitrate} value={stats ? formatBitrate(stats.videoBps + stats.audioBps) : say.unknown} line={history.bitrate} />
        <Fact name={say.roundTrip} value={ms(stats?.roundTripMs)} line={history.roundTrip} />
        <Fact name={say.loss} value={stats ? formatShare(stats.loss) : say.unknown} line={history.loss} />
        <Fact name={say.dropped} value={stats ? formatCount(stats.framesDropped) : say.unknown} line={history.dropped} />
        <Fact name={say.freezes} value={stats ? say.frozen(formatCount(stats.freezes), `${(stats.frozenMs / 1000).toFixed(1)} s`) : say.unknown} />
        <Fact name={say.codec} value={stats?.codec ? say.codecs[stats.codec.toLowerCase()] ?? stats.codec : say.unknown} />
      </dl>
    </section>
  );
}

/** The delay as one bar. What this page can measure is the last stretch; the rest is camera, encoder and the way up. */
function Budget({ stats }: { stats: ViewerStats | null }) {
  const total = stats?.totalDelayMs ?? null;
  if (!stats || total === null || total <= 0) return null;
  const network = Math.min(total, (stats.roundTripMs ?? 0) / 2);
  const buffer = Math.min(total - network, stats.jitterBufferMs ?? 0);
  const decode = Math.min(total - network - buffer, stats.decodeMs ?? 0);
  const parts = [
    { name: words.stats.rest, ms: total - network - buffer - decode, shade: 1 },
    { name: words.stats.network, ms: network, shade: 0.72 },
    { name: words.stats.buffer, ms: buffer, shade: 0.48 },
    { name: words.stats.decode, ms: decode, shade: 0.3 },
  ];
  return (
    <>
      <div class="budget" aria-hidden="true">{parts.map((part) => <i key={part.name} style={{ flexGrow: Math.max(part.ms, total * 0.012), opacity: part.shade }} />)}</div>
      <ul class="legend num">{parts.map((part) => <li key={part.name}>{part.name} <b>{Math.round(part.ms)}</b></li>)}</ul>
    </>
  );
}

function Fact({ name, value, line }: { name: string; value: string; line?: readonly number[] }) {
  return (
    <div class={line ? 'with-line' : ''}>
      <dt>{name}</dt>
      <dd>{value}</dd>
      {line && <Line values={line} />}
    </div>
  );
}

function Line({ values }: { values: readonly number[] }) {
  const top = Math.max(...values, 0) * 1.15 || 1;
  const points = values.map((value, index) => `${((index + KEPT - values.length) * 84) / (KEPT - 1)},${(15 - (value / top) * 13).toFixed(1)}`).join(' ');
  return <dd class="line" aria-hidden="true"><svg viewBox="0 0 84 16"><polyline points={points} fill="none" stroke="currentColor" stroke-width="1.5" /></svg></dd>;
}

/** Gathers readings while the overlay is open. */
function useHistory(stats: ViewerStats | null): History {
  const kept = useRef<History>({ bitrate: [], roundTrip: [], loss: [], dropped: [] });
  const seen = useRef<ViewerStats | null>(null);
  if (stats && stats !== seen.current) {
    const add = (values: number[], value: number) => [...values, value].slice(-KEPT);
    const droppedNow = Math.max(0, stats.framesDropped - (seen.current?.framesDropped ?? stats.framesDropped));
    kept.current = {
      bitrate: add(kept.current.bitrate, stats.videoBps + stats.audioBps),
      roundTrip: stats.roundTripMs === null ? kept.current.roundTrip : add(kept.current.roundTrip, stats.roundTripMs),
      loss: add(kept.current.loss, stats.loss),
      dropped: add(kept.current.dropped, droppedNow),
    };
    seen.current = stats;
  }
  return kept.current;
}
