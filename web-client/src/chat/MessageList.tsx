// The list of messages. However long the talk, the page holds a bounded number of lines; it follows the newest one until somebody scrolls
// up, and then stays where they read. By keyboard: arrows from line to line, Enter for what can be done with one, R to answer it.
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { BroadcastView } from '../protocol';
import { Button } from '../ui/Button';
import { useScope } from '../ui/hooks';
import { arrowDown } from '../ui/icons';
import { words } from '../words';
import { LineView, type Wish } from './LineView';
import type { Line } from './log';
import type { ChatRoom } from './room';
import { lineTime } from './time';
import { ASSUMED_HEIGHT, windowAtEnd, windowOf } from './window';

const say = words.chat;
/** Drawn beyond what is seen, pixels, so that a quick scroll does not show emptiness. */
const MARGIN = 400;
/** So close to the end counts as there, pixels. */
const AT_END = 24;
/** Before its size is known, pixels. */
const HEIGHT_AT_FIRST = 640;

export type MessageListProps = {
  room: ChatRoom;
  broadcast: BroadcastView | null;
  onWish: (wish: Wish) => void;
};

export function MessageList({ room, broadcast, onWish }: MessageListProps) {
  const box = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLOListElement>(null);
  /** By key, as last measured; of lines that are gone too, until they are many. */
  const heights = useMemo(() => new Map<string, number>(), [room]);
  const scroll = useRef({ top: 0, height: HEIGHT_AT_FIRST, following: true });
  /** The first line that is seen and how far its top is above the edge: where somebody reads while things change. */
  const anchor = useRef<{ key: string; offset: number } | null>(null);
  /** The last line when somebody stopped following. */
  const [seen, setSeen] = useState<string | null>(null);
  const [active, setActive] = useState<string | null>(null);
  const focusWanted = useRef(false);
  const [, drawAgain] = useState(0);

  const lines = room.lines.value;
  const me = room.user.value?.id ?? null;
  const modes = room.modes.value;
  const moderates = room.isModerator();
  const writes = room.role.value !== null && room.phase.value.kind !== 'ended';
  const tall = lines.map((line) => heights.get(line.key) ?? ASSUMED_HEIGHT);
  const { top, height, following } = scroll.current;
  const drawn = following ? windowAtEnd(tall, height, MARGIN) : windowOf(tall, top, height, MARGIN);
  const firstNew = following ? -1 : firstNewAfter(lines, seen, me);
  const news = firstNew < 0 ? 0 : lines.slice(firstNew).filter((line) => isNews(line, me)).length;

  useLayoutEffect(() => {
    const element = box.current;
    if (!element || !list.current) return;
    let moved = false;
    for (const child of list.current.children) {
      const { key } = (child as HTMLElement).dataset;
      const measured = child.getBoundingClientRect().height;
      if (key !== undefined && heights.get(key) !== measured) {
        heights.set(key, measured);
        moved = true;
      }
    }
    if (heights.size > 2 * lines.length + 200) {
      const kept = new Set(lines.map(({ key }) => key));
      for (const key of heights.keys()) if (!kept.has(key)) heights.delete(key);
    }
    if (moved) drawAgain((count) => count + 1);
    if (scroll.current.following) {
      element.scrollTop = element.scrollHeight;
    } else if (anchor.current) {
      const at = lines.findIndex(({ key }) => key === anchor.current?.key);
      const wanted = lines.slice(0, at).reduce((sum, line) => sum + (heights.get(line.key) ?? ASSUMED_HEIGHT), 0) + anchor.current.offset;
      if (at >= 0 && Math.abs(wanted - element.scrollTop) > 1) element.scrollTop = wanted;
    }
    if (focusWanted.current && active !== null) {
      const row = [...list.current.children].find((child) => (child as HTMLElement).dataset['key'] === active);
      if (row instanceof HTMLElement) {
        focusWanted.current = false;
        row.focus({ preventScroll: true });
        row.scrollIntoView({ block: 'nearest' });
      }
    }
  });

  useScope((until) => {
    const element = box.current;
    if (!element) return;
    const look = (): void => {
      const now = { top: element.scrollTop, height: element.clientHeight };
      const following = element.scrollHeight - now.top - now.height < AT_END;
      const before = scroll.current;
      if (before.following && !following) setSeen(room.lines.peek().at(-1)?.key ?? null);
      scroll.current = { ...now, following };
      anchor.current = null;
      if (!following && list.current) {
        const edge = element.getBoundingClientRect().top;
        for (const child of list.current.children) {
          const { key } = (child as HTMLElement).dataset;
          const rect = child.getBoundingClientRect();
          if (key !== undefined && rect.bottom > edge) {
            anchor.current = { key, offset: edge - rect.top };
            break;
          }
        }
      }
      drawAgain((count) => count + 1);
    };
    element.addEventListener('scroll', look, { passive: true, signal: until });
    const sizes = new ResizeObserver(() => {
      // Another width means other heights.
      scroll.current = { ...scroll.current, height: element.clientHeight };
      drawAgain((count) => count + 1);
    });
    sizes.observe(element);
    until.addEventListener('abort', () => sizes.disconnect(), { once: true });
  }, [room]);

  const toEnd = (): void => {
    scroll.current = { ...scroll.current, following: true };
    anchor.current = null;
    setSeen(null);
    drawAgain((count) => count + 1);
  };

  const go = (at: number): void => {
    const line = lines[Math.max(0, Math.min(lines.length - 1, at))];
    if (!line) return;
    // One that is not drawn yet is scrolled to, so that it will be.
    const place = lines.indexOf(line);
    if ((place < drawn.from || place >= drawn.to) && box.current) {
      scroll.current = { ...scroll.current, following: false };
      anchor.current = { key: line.key, offset: 0 };
      scroll.current.top = tall.slice(0, place).reduce((sum, each) => sum + each, 0);
    }
    focusWanted.current = true;
    setActive(line.key);
    drawAgain((count) => count + 1);
  };

  const key = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const at = lines.findIndex((line) => line.key === active);
    const line = lines[at];
    switch (event.key) {
      case 'ArrowUp': go(at < 0 ? lines.length - 1 : at - 1); break;
      case 'ArrowDown': go(at < 0 ? lines.length - 1 : at + 1); break;
      case 'Home': go(0); break;
      case 'End': toEnd(); go(lines.length - 1); break;
      case 'Enter': case 'ContextMenu': case 'r': case 'R': {
        if (line?.kind !== 'message' || event.target instanceof HTMLButtonElement || event.target instanceof HTMLAnchorElement) return;
        if (line.removed && !moderates) return;
        const row = (event.target as HTMLElement).closest('.m');
        const isReply = event.key === 'r' || event.key === 'R';
        if (!row || (isReply && (!writes || line.removed))) return;
        onWish({ kind: isReply ? 'reply' : 'menu', message: line.message, removed: line.removed, at: row.getBoundingClientRect() });
        break;
      }
      default: return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div class="list">
      <div
        ref={box}
        class="log"
        role="log"
        // What is said is told by a region of its own, at a pace that can be listened to.
        aria-live="off"
        aria-label={say.log}
        tabIndex={0}
        onKeyDown={key}
        onFocusOut={(event) => { if (!(event.relatedTarget instanceof Node) || !box.current?.contains(event.relatedTarget)) setActive(null); }}
      >
        <ol ref={list} style={{ paddingTop: `${drawn.above}px`, paddingBottom: `${drawn.below}px` }}>
          {lines.slice(drawn.from, drawn.to).map((line, index) => (
            <LineView
              key={line.key}
              line={line}
              time={lineTime(line, broadcast)}
              me={me}
              modes={modes}
              moderates={moderates}
              writes={writes}
              firstNew={drawn.from + index === firstNew}
              active={line.key === active}
              place={drawn.from + index + 1}
              of={lines.length}
              nameOf={(user) => room.nameOf(user)}
              onWish={onWish}
              onRetry={(nonce) => room.retry(nonce)}
              onDrop={(nonce) => room.drop(nonce)}
            />
          ))}
        </ol>
      </div>
      {!following && (
        <div class="to-newest">
          <Button look="primary" size="sm" icon={arrowDown} onClick={toEnd}>{news > 0 ? say.unread(news) : say.toNewest}</Button>
        </div>
      )}
    </div>
  );
}

function isNews(line: Line, me: string | null): boolean {
  return line.kind === 'message' && !line.removed && line.message.author.id !== me;
}

function firstNewAfter(lines: readonly Line[], seen: string | null, me: string | null): number {
  const at = lines.findIndex(({ key }) => key === seen);
  return lines.findIndex((line, index) => index > at && isNews(line, me));
}
