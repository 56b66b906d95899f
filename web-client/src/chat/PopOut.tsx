// The chat in a window of its own, beside a match that plays in another one of this browser.
import '../watch/watch.css';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { titleOf } from '../home/Card';
import { theConnections } from '../lib/connections';
import { Button } from '../ui/Button';
import { EmptyState } from '../ui/Notice';
import { recall } from '../ui/remember';
import { words } from '../words';
import { ChatPanel } from './ChatPanel';
import { LoneSession } from './lone_session';
import { moderatorOf } from './moderator';
import { hearMoment } from './moment_link';
import { ChatRoom } from './room';

export function PopOut({ slug }: { slug: string }) {
  const token = useMemo(() => new URLSearchParams(location.search).get('token') ?? undefined, [slug]);
  const held = useMemo(() => {
    const life = new AbortController();
    const session = new LoneSession({ broadcast: slug, token, connection: theConnections().toJoin(), lifetime: life.signal, moment: hearMoment(slug, life.signal) });
    return { life, session, room: new ChatRoom({ session, lifetime: life.signal, follows: recall('chatFollows', true), asModerator: moderatorOf(token) }) };
  }, [slug, token]);
  const input = useRef<HTMLTextAreaElement>(null);
  const broadcast = held.session.broadcast.value;
  const title = broadcast ? titleOf(broadcast) : words.chat.title;

  useEffect(() => () => held.life.abort(), [held]);
  useEffect(() => { document.title = words.chat.windowTitle(title); }, [title]);

  if (held.session.failure.value) {
    const gone = held.session.failure.value.code === 'not_found';
    return (
      <main id="main" class="pop-out" tabIndex={-1}>
        <EmptyState
          only
          title={gone ? words.states.notFound.title : words.chat.closed}
          line={gone ? words.states.notFound.line : words.chat.closedLine}
          actions={<Button href="/">{words.common.backToLive}</Button>}
        />
      </main>
    );
  }
  return (
    <main id="main" class="pop-out" tabIndex={-1}>
      <h1 class="sr">{words.chat.windowTitle(title)}</h1>
      <ChatPanel room={held.room} broadcast={broadcast} input={input} />
    </main>
  );
}
