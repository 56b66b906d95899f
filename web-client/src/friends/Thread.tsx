// What two have written to each other. Stays at its end while somebody is there, and where they are while they read what was before.
import { Fragment } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Button } from '../ui/Button';
import { formatTime } from '../ui/format';
import { usePageVisible, useTick } from '../ui/hooks';
import { splitLinks } from '../ui/links';
import { friendsWords } from '../friends_words';
import type { Person } from '../protocol';
import type { Friends } from './friends';
import type { Draft } from './mailbox';
import { dayName } from './when';

/** This near to the end counts as there, pixels. */
const NEAR_END = 48;

export function Thread({ friends, person }: { friends: Friends; person: Person }) {
  const say = friendsWords.write;
  const thread = friends.mailbox.value.threads.get(person.id);
  const list = useRef<HTMLDivElement>(null);
  const place = useRef({ atEnd: true, fromEnd: 0 });
  const draftsBefore = useRef(0);
  const visible = usePageVisible();
  const now = useTick(60_000);
  const [loading, setLoading] = useState(false);
  const [atEnd, setAtEnd] = useState(true);
  const messages = thread?.messages ?? [];
  const drafts = thread?.drafts ?? [];
  const last = messages.at(-1)?.number ?? 0;
  const first = messages[0]?.number ?? 0;
  // What was unread when the conversation was opened keeps its mark until it is left.
  const newFrom = useRef<number | null>(null);
  if (thread && newFrom.current === null && messages.length > 0) newFrom.current = thread.readUpTo + 1;

  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    // Whoever writes wants to see it.
    if (drafts.length > draftsBefore.current) place.current.atEnd = true;
    draftsBefore.current = drafts.length;
    element.scrollTop = place.current.atEnd ? element.scrollHeight : element.scrollHeight - place.current.fromEnd;
  }, [first, last, drafts.length]);
  // Read is what somebody can see: the end of it, on a page that is in front.
  useEffect(() => { if (visible && atEnd && last > 0) void friends.seen(person.id); }, [friends, person.id, visible, atEnd, last]);

  const older = async (): Promise<void> => {
    setLoading(true);
    await friends.older(person.id);
    setLoading(false);
  };
  const seen = thread ? messages.findLast((message) => message.from === friends.me && message.number <= thread.seenUpTo)?.number : undefined;
  const unread = friends.mailbox.value.conversations.find((one) => one.person.id === person.id)?.unread ?? 0;
  return (
    <div class="around">
      <div
        ref={list} class="thread" role="log" aria-label={say.log(person.name)} tabIndex={0}
        onScroll={(event) => {
          const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
          place.current = { atEnd: scrollHeight - scrollTop - clientHeight < NEAR_END, fromEnd: scrollHeight - scrollTop };
          setAtEnd(place.current.atEnd);
        }}
      >
        {thread?.more && <Button size="sm" look="ghost" class="earlier" busy={loading} onClick={() => void older()}>{say.earlier}</Button>}
        {thread && messages.length === 0 && drafts.length === 0 && <p class="muted start">{say.empty(person.name)}</p>}
        {messages.map((message, index) => {
          const before = messages[index - 1];
          const day = dayName(message.sent_at_ms, now);
          const mine = message.from === friends.me;
          const isNew = !mine && message.number === newFrom.current && index > 0;
          const newDay = !before || dayName(before.sent_at_ms, now) !== day;
          const follows = !newDay && before?.from === message.from;
          return (
            <Fragment key={message.number}>
              {newDay && <p class="day"><span>{day}</span></p>}
              {isNew && <p class="day new"><span>{say.newHere}</span></p>}
              <p class={`said ${mine ? 'mine' : ''} ${follows ? 'follows' : ''}`}>
                <span class="sr">{mine ? say.you : `${person.name}: `}</span>
                <Text text={message.text} />
                <time class="num" dateTime={new Date(message.sent_at_ms).toISOString()}>{formatTime(message.sent_at_ms)}</time>
              </p>
              {message.number === seen && <p class="seen small">{say.seen}</p>}
            </Fragment>
          );
        })}
        {drafts.map((draft) => <Unsent key={draft.nonce} friends={friends} person={person} draft={draft} />)}
      </div>
      {!atEnd && unread > 0 && (
        <Button size="sm" look="primary" class="newer" onClick={() => list.current?.scrollTo({ top: list.current.scrollHeight })}>{say.newer}</Button>
      )}
    </div>
  );
}

function Unsent({ friends, person, draft }: { friends: Friends; person: Person; draft: Draft }) {
  const say = friendsWords.write;
  return (
    <>
      <p class={`said mine ${draft.failed ? 'failed' : 'pending'}`}><Text text={draft.text} /></p>
      {draft.failed
        ? (
          <p class="seen small trouble">
            {say.notSent}
            <button class="link" type="button" onClick={() => void friends.send(person, draft.text, draft.nonce).catch(() => undefined)}>{say.again}</button>
            <button class="link" type="button" onClick={() => friends.giveUp(person.id, draft.nonce)}>{say.drop}</button>
          </p>
        )
        : <p class="seen small" role="status">{say.sending}</p>}
    </>
  );
}

function Text({ text }: { text: string }) {
  return (
    <span class="text">
      {splitLinks(text).map((piece, index) => (piece.kind === 'text'
        ? <Fragment key={index}>{piece.text}</Fragment>
        : <a key={index} class="link" href={piece.href} {...(piece.here ? {} : { target: '_blank', rel: 'noopener noreferrer nofollow ugc' })}>{piece.text}</a>))}
    </span>
  );
}
