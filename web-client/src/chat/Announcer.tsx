// Tells those who listen what is said, at a pace that can be followed: every few seconds, few messages in words and many by their number.
import { useRef, useState } from 'preact/hooks';
import { useScope } from '../ui/hooks';
import { words } from '../words';
import type { ChatRoom } from './room';

const say = words.chat;
const EVERY_MS = 4_000;
/** So many are read out; more are counted. */
const READ_MOST = 3;

export function Announcer({ room }: { room: ChatRoom }) {
  const [told, setTold] = useState('');
  /** The last line that was told of; `undefined` before the chat was there at all. */
  const last = useRef<string | null | undefined>(undefined);
  useScope((until) => {
    const timer = setInterval(() => {
      const lines = room.lines.peek();
      const me = room.user.peek()?.id;
      const from = lines.findIndex(({ key }) => key === last.current);
      const isFirst = last.current === undefined;
      if (isFirst && room.phase.peek().kind === 'connecting') return;
      last.current = lines.at(-1)?.key ?? null;
      // What was said before somebody came is there to be read, not to be read out.
      if (isFirst || document.hidden) return;
      const news = lines.slice(from + 1).flatMap((line) => (line.kind === 'message' && !line.removed && line.message.author.id !== me ? [line.message] : []));
      if (news.length > 0) setTold(news.length <= READ_MOST ? news.map(({ author, text }) => say.says(author.name, text)).join('. ') : say.many(news.length));
    }, EVERY_MS);
    until.addEventListener('abort', () => clearInterval(timer), { once: true });
  }, [room]);
  return <div class="sr" role="status" aria-live="polite">{told}</div>;
}
