// The seek bar and what belongs to it in the control row. Loaded when a match is recorded: no first page carries it.
import './rewind.css';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { ChatRoom } from '../chat/room';
import type { WatchSession } from '../playback/session';
import type { BroadcastView, Marker } from '../protocol';
import { HeatLine } from '../reactions/HeatLine';
import { rewindWords as say } from '../rewind_words';
import { IconButton } from '../ui/Button';
import { useScope, useTick } from '../ui/hooks';
import { arrowCounterClockwise } from '../ui/icons';
import { momentAt } from '../ui/score';
import { showToast } from '../ui/Toast';
import { MOMENT_LEAD_MS } from './match';
import { type Preview, Previews, previewAt } from './previews';
import { type Span, formatPlace, momentOf, shareOf, spanOf, ticksOf } from './seek';

/** How often the bar moves on, ms. */
const EVERY_MS = 250;
const STEP_MS = 5_000;
const BIG_STEP_MS = 60_000;
const BACK_MS = 10_000;
/** What brings no picture for this long is said to be loading, ms. */
const LOADING_AFTER_MS = 500;
/** Up to here the tally counts in seconds, ms. */
const TALLY_EXACT_MS = 59_500;

type SeekBarProps = { session: WatchSession; room: ChatRoom; broadcast: BroadcastView };

export function SeekBar({ session, room, broadcast }: SeekBarProps) {
  useTick(EVERY_MS);
  const rail = useRef<HTMLDivElement>(null);
  /** The share of the bar under the pointer, and whether it is held down. */
  const [pointed, setPointed] = useState<{ share: number; drags: boolean } | null>(null);
  const seenUpTo = useRef(-Infinity);
  const previews = usePreviews(session);
  useLostMoment(session);

  const serverMs = session.serverNow() ?? Date.now();
  const span = spanOf(broadcast, session.recorded.value, serverMs);
  const isOver = broadcast.state === 'ended';
  const place = session.place.value;
  const atEdge = place === 'live';
  const positionMs = usePosition(session) ?? span.toMs;
  const shownMs = pointed?.drags ? momentOf(span, pointed.share) : atEdge ? span.toMs : positionMs;
  const share = shareOf(span, shownMs);
  seenUpTo.current = Math.max(seenUpTo.current, session.mediaNow() ?? -Infinity);
  const ticks = ticksOf(broadcast.markers, span, isOver ? Infinity : seenUpTo.current);
  const loading = useHolds(!atEdge && !session.hlsMoves.value, LOADING_AFTER_MS);

  const shareAt = (event: PointerEvent) => {
    const box = rail.current?.getBoundingClientRect();
    return box && box.width > 0 ? Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) : 0;
  };
  const point = (event: PointerEvent, drags: boolean) => {
    previews.look(performance.now());
    setPointed({ share: shareAt(event), drags });
  };
  const listeners = {
    onPointerDown: (event: PointerEvent) => {
      if (event.button !== 0) return;
      event.preventDefault();
      rail.current?.setPointerCapture(event.pointerId);
      point(event, true);
    },
    onPointerMove: (event: PointerEvent) => { if (pointed?.drags || event.pointerType !== 'touch') point(event, pointed?.drags ?? false); },
    onPointerUp: (event: PointerEvent) => {
      if (!pointed?.drags) return;
      session.playFrom(momentOf(span, shareAt(event)));
      setPointed(event.pointerType === 'touch' ? null : { share: shareAt(event), drags: false });
    },
    onPointerCancel: () => setPointed(null),
    onPointerLeave: () => { if (!pointed?.drags) setPointed(null); },
  };

  const press = (event: KeyboardEvent) => {
    switch (event.key) {
      case 'ArrowLeft': case 'ArrowDown': session.step(-STEP_MS); break;
      case 'ArrowRight': case 'ArrowUp': session.step(STEP_MS); break;
      case 'PageDown': session.step(-BIG_STEP_MS); break;
      case 'PageUp': session.step(BIG_STEP_MS); break;
      case 'Home': session.playFromStart(); break;
      case 'End': if (isOver) return; session.goLive(); break;
      default: return;
    }
    event.preventDefault();
  };

  const spoken = isOver ? say.ofReplay(positionMs - span.fromMs, span.toMs - span.fromMs) : atEdge ? say.live : say.behind(serverMs - positionMs);
  return (
    <div class={`seek ${pointed ? 'pointed' : ''} ${atEdge && !pointed?.drags ? 'edge' : ''} ${loading ? 'loading' : ''}`} style={{ '--at': `${share * 100}%` }}>
      <HeatLine room={room} broadcast={broadcast} span={span} />
      <div ref={rail} class="rail" {...listeners}>
        <div class="track"><i class="played" />{!isOver && <i class="gap" />}{!isOver && <i class="notch" />}</div>
        <div
          class="knob"
          role="slider"
          tabIndex={0}
          aria-label={say.bar}
          aria-valuemin={0}
          aria-valuemax={Math.round((span.toMs - span.fromMs) / 1000)}
          aria-valuenow={Math.round((shownMs - span.fromMs) / 1000)}
          aria-valuetext={spoken}
          onKeyDown={press}
        />
      </div>
      {ticks.map((marker) => (
        <Tick key={marker.id} marker={marker} broadcast={broadcast} share={shareOf(span, marker.media_time_ms)} onPlay={() => session.playFrom(marker.media_time_ms - MOMENT_LEAD_MS)} />
      ))}
      {pointed && <PreviewAt previews={previews} span={span} share={pointed.share} isOver={isOver} />}
    </div>
  );
}

function Tick({ marker, broadcast, share, onPlay }: { marker: Marker; broadcast: BroadcastView; share: number; onPlay: () => void }) {
  const name = say.moment(marker.kind, marker.label);
  const time = `${Math.floor(momentAt(marker, broadcast) / 60_000) + 1}′`;
  return (
    <button type="button" class={`tick ${marker.kind}`} style={{ left: `${share * 100}%` }} aria-label={say.playMoment(name, time)} onClick={onPlay}>
      <i />
      <span class={`tip ${share < 0.15 ? 'start' : share > 0.85 ? 'end' : 'center'}`} aria-hidden="true">{time} {name}</span>
    </button>
  );
}

/** What is at the place under the pointer: its picture, where there is one, and its time. */
function PreviewAt({ previews, span, share, isOver }: { previews: Previews; span: Span; share: number; isOver: boolean }) {
  const atMs = momentOf(span, share);
  const found = previewAt(previews.list.value, atMs);
  return (
    <div class="peek" style={{ '--share': share }} aria-hidden="true">
      {found && <i style={pictureOf(found)} />}
      <span class="num">{isOver ? formatPlace(atMs - span.fromMs) : share > 0.995 ? say.live : `−${formatPlace(span.toMs - atMs)}`}</span>
    </div>
  );
}

function pictureOf({ sheet, x, y, width, height }: Preview) {
  return { width: `${width}px`, height: `${height}px`, backgroundImage: `url("${sheet}")`, backgroundPosition: `-${x}px -${y}px` };
}

/** Ten seconds back. */
export function BackButton({ session, shortcut }: { session: WatchSession; shortcut: string | undefined }) {
  return <IconButton icon={arrowCounterClockwise} label={say.back} shortcut={shortcut} onClick={() => session.step(-BACK_MS)} />;
}

/** Beside the tally: how far behind, or where in the replay. */
export function TimeShown({ session }: { session: WatchSession }) {
  useTick(EVERY_MS);
  const broadcast = session.broadcast.value;
  const positionMs = usePosition(session);
  if (!broadcast || positionMs === null || session.place.value === 'live') return null;
  const { fromMs, toMs } = spanOf(broadcast, session.recorded.value, session.serverNow() ?? Date.now());
  if (broadcast.state === 'ended') return <span class="place num">{formatPlace(positionMs - fromMs)} / {formatPlace(toMs - fromMs)}</span>;
  // Below that the tally says it to the second.
  return toMs - positionMs < TALLY_EXACT_MS ? null : <span class="place num">−{formatPlace(toMs - positionMs)}</span>;
}

/** The moment on screen or wished for; the last one while a picture is on its way. */
function usePosition(session: WatchSession): number | null {
  const last = useRef<number | null>(null);
  last.current = session.position() ?? last.current;
  return last.current;
}

function usePreviews(session: WatchSession): Previews {
  const held = useMemo(() => {
    const life = new AbortController();
    return { life, previews: new Previews(() => session.path(), life.signal) };
  }, [session]);
  useEffect(() => () => held.life.abort(), [held]);
  return held.previews;
}

/** A moment that was asked for and did not come is told, not left to be wondered about. */
function useLostMoment(session: WatchSession): void {
  const lost = session.lostMoments.value;
  const known = useRef(lost);
  useEffect(() => {
    if (lost > known.current) showToast({ kind: 'trouble', title: say.lost, line: say.lostLine });
    known.current = lost;
  }, [lost]);
}

/** Whether `condition` has held for `ms`. */
function useHolds(condition: boolean, ms: number): boolean {
  const [holds, setHolds] = useState(false);
  useScope((until) => {
    setHolds(false);
    if (!condition) return;
    const timer = setTimeout(() => setHolds(true), ms);
    until.addEventListener('abort', () => clearTimeout(timer));
  }, [condition, ms]);
  return holds;
}
