// A conversation in the list: who, what was written last, and how much of it is unread.
import { Avatar } from '../ui/Avatar';
import { formatNew } from '../ui/format';
import { useTick } from '../ui/hooks';
import { friendsWords } from '../friends_words';
import type { Conversation } from '../protocol';
import { shortTime } from './when';

export type ConversationRowProps = { conversation: Conversation; me: string; chosen: boolean; onOpen: (id: string) => void };

export function ConversationRow({ conversation: { person, last, unread }, me, chosen, onOpen }: ConversationRowProps) {
  const now = useTick(60_000);
  const say = friendsWords.write;
  return (
    <li class={`person ${chosen ? 'chosen' : ''} ${unread > 0 ? 'unread' : ''}`}>
      <button class="open" type="button" aria-current={chosen ? 'true' : undefined} onClick={() => onOpen(person.id)}>
        <Avatar person={person} size={40} />
        <span class="grow">
          <span class="line"><b class="strong clip grow">{person.name}</b><time class="small num" dateTime={new Date(last.sent_at_ms).toISOString()}>{shortTime(last.sent_at_ms, now)}</time></span>
          <span class="line">
            <span class="muted small clip grow">{last.from === me && say.you}{last.text}</span>
            {unread > 0 && <span class="fresh"><span aria-hidden="true">{formatNew(unread)}</span><span class="sr">{say.unread(unread)}</span></span>}
          </span>
        </span>
      </button>
    </li>
  );
}
