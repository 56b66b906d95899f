// The chat as a whole: its head, the pinned message, what was said, reactions and the place to write; and each of its states in words.
import './chat.css';
import type { ComponentChildren, RefObject } from 'preact';
import { useCallback, useRef, useState } from 'preact/hooks';
import type { BroadcastView, ChatMessage } from '../protocol';
import { ReactionBar } from '../reactions/ReactionBar';
import { Button, IconButton } from '../ui/Button';
import { formatCount } from '../ui/format';
import { useScope, useTick } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import { arrowSquareOut, dotsThree, pushPin, pushPinSlash, sidebar, sliders } from '../ui/icons';
import { Menu, MenuItem, MenuRule } from '../ui/Menu';
import { useMenu } from '../ui/use_menu';
import { remember } from '../ui/remember';
import { words } from '../words';
import { Announcer } from './Announcer';
import { Composer, type Draft } from './Composer';
import { Words, type Wish } from './LineView';
import { MessageList } from './MessageList';
import { act } from './act';
import type { MessageMenuProps } from './MessageMenu';
import { Later, Over } from '../ui/Over';
import type { Someone } from './address';
import type { ChatRoom } from './room';

const say = words.chat;

const loadMenu = () => import('./MessageMenu').then((module) => module.MessageMenu);
const loadDesk = () => import('./DeskPanel').then((module) => module.DeskPanel);
const loadModes = () => import('./ModesDialog').then((module) => module.ModesDialog);
/** Room that a menu beside a message wants, pixels, for viewers and for moderators: where there is less below it opens upwards. */
const MENU_HEIGHTS = [220, 500] as const;

const HELD_TOLD_AFTER_MS = 1_000;

/** `count`: how much is new behind the tab, and `counted` says it in words. */
type Other = { name: string; content: ComponentChildren; count?: number; counted?: string };

export type ChatPanelProps = {
  room: ChatRoom;
  broadcast: BroadcastView | null;
  input: RefObject<HTMLTextAreaElement | null>;
  /** What else the panel shows, by its tab; the chat is the first. */
  others?: readonly Other[];
  onHide?: () => void;
  onPopOut?: () => void;
};

export function ChatPanel({ room, broadcast, input, others = [], onHide, onPopOut }: ChatPanelProps) {
  const panel = useRef<HTMLElement>(null);
  const [tab, setTab] = useState(0);
  const options = useMenu();
  const [managing, setManaging] = useState(false);
  const [wish, setWish] = useState<Wish | null>(null);
  const [draft, setDraft] = useState<Draft>({ kind: 'new' });
  const [address, setAddress] = useState<{ person: Someone } | null>(null);
  const people = room.people.value;
  const desk = room.isModerator() ? [{ name: say.desk.title, content: <Later load={loadDesk} properties={{ room }} />, count: room.desk.count.value }] : [];
  const panels: readonly Other[] = [...others, ...desk];
  const other = panels[tab - 1];

  const reply = ({ id, author, text }: ChatMessage): void => setDraft({ kind: 'reply', to: { id, author: author.id, name: author.name, excerpt: text } });
  const wanted = useCallback((next: Wish) => {
    if (next.kind === 'reply') reply(next.message);
    else setWish(next);
  }, []);
  const closeMenu = useCallback(() => setWish(null), []);

  return (
    <section ref={panel} class="side" aria-label={say.title}>
      <header class="side-head">
        {panels.length > 0
          ? (
            <>
              <h2 class="sr">{say.title}</h2>
              <div class="tabs" role="tablist" aria-label={say.title}>
                {[{ name: say.title, content: null }, ...panels].map(({ name, count = 0, counted }: Other, index) => (
                  <button key={name} type="button" role="tab" aria-selected={index === (other ? tab : 0)} onClick={() => setTab(index)}>
                    {name}{index === 0 && <People count={people} />}
                    {count > 0 && <><span class="badge live num" aria-hidden="true">{formatCount(count)}</span><span class="sr"> {counted ?? say.desk.waiting(count)}</span></>}
                  </button>
                ))}
              </div>
            </>
          )
          : <><h2>{say.title}</h2><People count={people} /></>}
        <span class="grow" />
        <IconButton
          icon={dotsThree}
          label={say.options}
          expanded={options.open}
          popup="menu"
          tip="end"
          below
          buttonRef={options.button}
          onClick={options.toggle}
        />
        {onHide && <IconButton class="flip" icon={sidebar} label={say.hide} tip="end" below onClick={onHide} />}
        {options.open && (
          <Menu label={say.options} class="options" onClose={options.close}>
            <MenuItem
              toggled={room.follows.value}
              detail={say.followsLine}
              onSelect={() => { const follows = !room.follows.value; room.setFollows(follows); remember('chatFollows', follows); options.close(); }}
            >
              {say.follows}
            </MenuItem>
            {(room.sampled.value || room.view.value === 'all') && (
              <>
                <MenuRule />
                {(['top', 'all'] as const).map((view) => (
                  <MenuItem key={view} checked={room.view.value === view} detail={say.laneLine[view]} onSelect={() => { setLane(room, view); options.close(); }}>
                    {say.lanes[view]}
                  </MenuItem>
                ))}
              </>
            )}
            {(room.isModerator() || onPopOut) && <MenuRule />}
            {room.isModerator() && room.phase.value.kind === 'open' && (
              <MenuItem icon={sliders} onSelect={() => { options.close(); setManaging(true); }}>{say.manage}</MenuItem>
            )}
            {onPopOut && <MenuItem icon={arrowSquareOut} onSelect={() => { options.close(); onPopOut(); }}>{say.popOut}</MenuItem>}
          </Menu>
        )}
      </header>
      {other
        ? <div class="other">{other.content}</div>
        : (
          <>
            <Pinned room={room} />
            {room.sampled.value && (
              <div class="lanes" role="group" aria-label={say.lane}>
                {(['top', 'all'] as const).map((view) => (
                  <button key={view} type="button" aria-pressed={room.view.value === view} onClick={() => setLane(room, view)}>{say.lanes[view]}</button>
                ))}
              </div>
            )}
            <Middle room={room} broadcast={broadcast} onWish={wanted} />
            <Held room={room} />
            <Foot room={room} draft={draft} input={input} address={address} onDraft={setDraft} />
          </>
        )}
      <Announcer room={room} />
      {room.isModerator() && <div class="sr" role="status">{room.desk.count.value > 0 ? say.desk.waiting(room.desk.count.value) : ''}</div>}
      {wish && (
        <div class="beside" style={placeOf(wish.at, panel.current, MENU_HEIGHTS[room.isModerator() ? 1 : 0])}>
          <Over<MessageMenuProps>
            load={loadMenu}
            properties={{
              room,
              wish,
              onReply: reply,
              onMention: ({ author }) => setAddress({ person: author }),
              onEdit: (message) => setDraft({ kind: 'edit', message }),
              onClose: closeMenu,
            }}
            onFailed={closeMenu}
          />
        </div>
      )}
      {managing && <Over load={loadModes} properties={{ room, onClose: () => setManaging(false) }} onFailed={() => setManaging(false)} />}
    </section>
  );
}

function People({ count }: { count: number | null }) {
  if (!count) return null;
  return <span class="n num"><span aria-hidden="true">{formatCount(count)}</span><span class="sr"> {say.people(formatCount(count))}</span></span>;
}

function setLane(room: ChatRoom, view: 'top' | 'all'): void {
  room.setView(view).catch(() => undefined);
}

/** Below the line where there is room, else above it, else at the bottom. */
function placeOf(line: DOMRect, panel: HTMLElement | null, height: number): { top?: string; bottom?: string } {
  const box = panel?.getBoundingClientRect();
  if (!box) return {};
  if (box.bottom - line.bottom >= height) return { top: `${line.bottom - box.top}px` };
  if (line.top - box.top >= height) return { bottom: `${box.bottom - line.top}px` };
  return { bottom: '12px' };
}

function Pinned({ room }: { room: ChatRoom }) {
  const message = room.pinned.value;
  if (!message) return null;
  return (
    <section class="pin" aria-label={say.pinned}>
      <Icon svg={pushPin} size="s" />
      <p><b><bdi>{message.author.name}</bdi></b> <Words text={message.text} named={[]} /></p>
      {room.isModerator() && <IconButton icon={pushPinSlash} label={say.unpin} tip="end" below onClick={() => act(room, { change: 'pin' })} />}
    </section>
  );
}

/** What was said, or why there is nothing to see. */
function Middle({ room, broadcast, onWish }: { room: ChatRoom; broadcast: BroadcastView | null; onWish: (wish: Wish) => void }) {
  const phase = room.phase.value;
  const hasLines = room.lines.value.length > 0;
  if (hasLines) return <MessageList room={room} broadcast={broadcast} onWish={onWish} />;
  switch (phase.kind) {
    case 'connecting': return <div class="nothing" role="status"><span class="late">{say.connecting}</span></div>;
    case 'closed': {
      const mayHelp = phase.error.retryable;
      return (
        <div class="nothing" role="alert">
          <h3>{mayHelp ? say.failed : say.closed}</h3>
          <p>{mayHelp ? say.failedLine : say.closedLine}</p>
          <Button size="sm" onClick={() => room.tryAgain()}>{words.common.tryAgain}</Button>
        </div>
      );
    }
    case 'open':
    case 'reconnecting':
    case 'ended':
      return (
        <div class="nothing">
          <h3>{say.empty}</h3>
          {phase.kind !== 'ended' && <p>{room.role.value ? say.emptyLine : say.emptyLineReader}</p>}
        </div>
      );
  }
}

/** Messages that wait for the picture. Told only when that is long enough to be noticed: a few tenths are what every picture is behind. */
function Held({ room }: { room: ChatRoom }) {
  const held = room.held.value;
  const [told, setTold] = useState(false);
  useScope((until) => {
    setTold(false);
    if (held === 0) return;
    const timer = setTimeout(() => setTold(true), HELD_TOLD_AFTER_MS);
    until.addEventListener('abort', () => clearTimeout(timer), { once: true });
  }, [held > 0]);
  if (held === 0 || !told) return null;
  return (
    <div class="held">
      <span title={say.newerLine}>{say.newer(held)}</span>
      <button type="button" onClick={() => room.showHeld()}>{say.showNow}</button>
    </div>
  );
}

type FootProps = { room: ChatRoom; draft: Draft; input: RefObject<HTMLTextAreaElement | null>; address: { person: Someone } | null; onDraft: (draft: Draft) => void };

function Foot({ room, draft, input, address, onDraft }: FootProps) {
  const { kind } = room.phase.value;
  const silence = room.silence.value;
  const isTimedOut = silence?.why === 'timed_out' && silence.untilMs > performance.now();
  useTick(1000, isTimedOut);
  if (kind === 'ended') return <p class="closed">{say.ended}</p>;
  if (kind === 'connecting' || kind === 'closed') return null;
  if (room.role.value === null) return <p class="closed">{say.readOnly}</p>;
  return (
    <div class="foot">
      {kind === 'reconnecting' && <p class="hint trouble" role="status">{say.reconnecting}</p>}
      {room.user.value?.guest && !room.spoke.value && <p class="hint">{say.asGuest(room.user.value.name)}</p>}
      <ReactionBar room={room} />
      {room.banned.value
        ? <Silenced room={room}><b>{say.banned}</b> {say.bannedLine}</Silenced>
        : isTimedOut
          ? <Silenced room={room}>{say.timedOut(remaining(silence.untilMs - performance.now()))}</Silenced>
          : <Composer room={room} draft={draft} input={input} address={address} onDraft={onDraft} />}
    </div>
  );
}

/** Where the composer would be. A silence may have been lifted meanwhile, so the way back stays open. */
function Silenced({ room, children }: { room: ChatRoom; children: ComponentChildren }) {
  return (
    <div class="closed">
      <p>{children}</p>
      <Button look="ghost" size="sm" onClick={() => room.tryWriting()}>{words.common.tryAgain}</Button>
    </div>
  );
}

/** "45 s", "12 min", "5 h". */
function remaining(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`;
}
