// The heat line: how much people threw at the screen over the match so far, above the controls. What is not on this screen yet is not told.
import { useMemo } from 'preact/hooks';
import type { ChatRoom } from '../chat/room';
import type { BroadcastView } from '../protocol';
import { useScope, useTick } from '../ui/hooks';
import { words } from '../words';
import { columnsOf, outlineOf } from './heat';

const COLUMNS = 100;
/** How often it moves on while nobody reacts, ms. */
const EVERY_MS = 5_000;
/** The server tells what it has written down, which lacks the last seconds before this page came: it is asked once more, ms. */
const READ_AGAIN_MS = 20_000;
/** Before this much has been played there is no line to speak of, ms. */
const SHORTEST_MS = 60_000;

export type HeatLineProps = {
  room: ChatRoom;
  broadcast: BroadcastView | null;
  /** Media time at its two ends, ms: those of a timeline that it belongs to. Else from the beginning of the match to this screen. */
  span?: { fromMs: number; toMs: number };
};

export function HeatLine({ room, broadcast, span }: HeatLineProps) {
  const id = broadcast?.id ?? null;
  const open = room.phase.value.kind === 'open';
  useScope((until) => {
    if (id === null || !open) return;
    void room.heat.read(id, until);
    const timer = setTimeout(() => void room.heat.read(id, until), READ_AGAIN_MS);
    until.addEventListener('abort', () => clearTimeout(timer));
  }, [room, id, open]);
  useTick(EVERY_MS, open);

  const upToMs = room.seenUpTo();
  const fromMs = span?.fromMs ?? broadcast?.started_at_ms ?? upToMs;
  const toMs = span?.toMs ?? Math.max(upToMs, fromMs + SHORTEST_MS);
  const { stepMs } = room.heat;
  const points = room.heat.points.value;
  const outline = useMemo(() => {
    const seen = points.filter(({ at_ms }) => at_ms <= upToMs);
    const heights = columnsOf(seen, { fromMs, toMs, stepMs }, COLUMNS);
    return heights.some((height) => height > 0) ? outlineOf(heights) : null;
  }, [points, fromMs, toMs, upToMs, stepMs]);
  if (outline === null) return null;
  return (
    <svg class="heat" viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label={words.chat.heat}>
      <path d={outline} />
    </svg>
  );
}
