// Tells those who listen what is said, at a pace that can be followed: every few seconds, few messages in words and many by their number.
import { useRef, useState } from 'preact/hooks';
import { useScope } from '../ui/hooks';
import { words } from '../words';
import { compareIds } from './ids';
import type { ChatRoom } from './room';

const say = words.chat;
const EVERY_MS = 4_000;
/** How soon it is noticed that the chat is there, and that something was said after a silence, ms. */
const LOOK_MS = 500;
/** So many are read out; more are counted. */
const READ_MOST = 3;

export function Announcer({ room }: { room: ChatRoom }) {
  const [told, setTold] = useState('');
  /** The last message that was told of; `undefined` before the chat was there at all. Not a line: those that are on their way become others. */
  const last = useRef<string | null | undefined>(undefined);
  const toldAt = useRef(-Infinity);
  useScope((until) => {
    const timer = setInterval(() => {
      const lines = room.lines.peek();
      const me = room.user.peek()?.id;
      const before = last.current;
      const isFirst = before === undefined;
      if (!isFirst && performance.now() - toldAt.current < EVERY_MS) return;
      if (isFirst && room.phase.peek().kind === 'connecting') return;
      const messages = lines.flatMap((line) => (line.kind === 'message' ? [line] : []));
      const newest = messages.map(({ message }) => message.id).reduce<string | null>((one, other) => (one === null || compareIds(other, one) > 0 ? other : one), before ?? null);
      last.current = newest;
      // What was said before somebody came is there to be read, not to be read out.
      if (isFirst || document.hidden) return;
      const isNew = (id: string): boolean => before === null || before === undefined || compareIds(id, before) > 0;
      const news = messages.flatMap(({ message, removed }) => (isNew(message.id) && !removed && message.author.id !== me ? [message] : []));
      if (news.length === 0) return;
      toldAt.current = performance.now();
      setTold(news.length <= READ_MOST ? news.map(({ author, text }) => say.says(author.name, text)).join('. ') : say.many(news.length));
    }, LOOK_MS);
    until.addEventListener('abort', () => clearInterval(timer), { once: true });
  }, [room]);
  return <div class="sr" role="status" aria-live="polite">{told}</div>;
}
