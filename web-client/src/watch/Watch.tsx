// Watch: the player, below it what is being played, and the talk beside it or below.
import './watch.css';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { ChatPanelProps } from '../chat/ChatPanel';
import { loadPanel } from '../chat/load_panel';
import { type Chat, useChat } from '../chat/use_chat';
import { titleOf } from '../home/Card';
import { Button } from '../ui/Button';
import { Header } from '../ui/Header';
import { useMedia } from '../ui/hooks';
import { Later, Over } from '../ui/Over';
import { arrived } from '../ui/router';
import { words } from '../words';
import { Player } from './Player';
import { Moments, type PlayMoment, Under } from './Under';
import { useFullScreen } from './full_screen';
import { MOMENT_LEAD_MS, type MatchNow, followMatch } from './match';
import { Playback } from './playback';
import { useWatch } from './use_watch';
import { useWithFriends } from './with_friends';

const loadCall = () => import('../call/CallRoot').then((module) => module.CallRoot);
const loadTogether = () => import('../call/Together').then((module) => module.Together);
const loadStrip = () => import('../call/CallStrip').then((module) => module.CallStrip);
const loadLane = () => import('../call/CallLane').then((module) => module.CallLane);
const loadBehind = () => import('./BehindNote').then((module) => module.BehindNote);

export function Watch({ slug }: { slug: string }) {
  // A private link carries its token in the address.
  const token = useMemo(() => new URLSearchParams(location.search).get('token') ?? undefined, [slug]);
  const life = useMemo(() => new AbortController(), [slug, token]);
  // Before the session's own end: whoever leaves the page says goodbye to the call.
  useEffect(() => () => life.abort(), [life]);
  const session = useWatch(slug, token);
  const match = useMemo(() => followMatch(session, life.signal), [session, life]);
  const playback = useMemo(() => new Playback(), [session]);
  const friends = useWithFriends(session, life.signal);
  const chat = useChat(session, slug, life.signal, token);
  const [theatre, setTheatre] = useState(false);
  const phone = useMedia('(max-width: 767px)');
  const fullScreen = useFullScreen();
  const broadcast = session.broadcast.value;
  const { kind } = session.phase.value;
  const party = friends.party.value;
  // Where there is no match there is nobody to talk to.
  const chatting = chat.shown && kind !== 'not_found' && kind !== 'refused';

  const playMoment: PlayMoment | null = session.canRewind ? ({ atMs }) => session.playFrom(atMs - MOMENT_LEAD_MS) : null;

  useGoals(chat, match.value);
  useEffect(arrived, []);
  useEffect(() => {
    document.title = `${broadcast ? titleOf(broadcast) : words.header.live} · ${words.product}`;
  }, [broadcast?.title]);

  return (
    <div class={`watch ${theatre ? 'theatre' : ''} ${chatting ? 'chatting' : ''}`}>
      <Header />
      <main id="main" tabIndex={-1}>
        <div class="stage">
          <Player session={session} playback={playback} friends={friends} match={match} chat={chat} theatre={theatre} onTheatre={setTheatre} />
          {phone && session.carrier.value.shown === 'hls' && <Later load={loadBehind} properties={{ session, strip: true }} />}
          {broadcast
            ? <Under friends={friends} broadcast={broadcast} viewers={session.viewers.value.count} match={match} onChat={chat.shown ? null : () => chat.show(true)} onMoment={playMoment} />
            : <h1 class="sr">{words.watch.player}</h1>}
          {!fullScreen && party && (phone ? <Later load={loadStrip} properties={{ party }} /> : <Later load={loadTogether} properties={{ party }} />)}
        </div>
        {/* In full screen it lies over the picture, and is there once. */}
        {chatting && !fullScreen && (chat.poppedOut
          ? <Away chat={chat} />
          : (
            <Later<ChatPanelProps>
              load={loadPanel}
              meanwhile={<section class="side" aria-label={words.chat.title} aria-busy="true" />}
              properties={{
                room: chat.room,
                broadcast,
                input: chat.input,
                others: [
                  ...(party && friends.isOn
                    ? [{ name: words.watch.callTab, content: <Later load={loadLane} properties={{ party }} />, count: party.call.unread.value, counted: words.watch.callUnread(party.call.unread.value) }]
                    : []),
                  ...(phone && match.value.moments.length > 0 ? [{ name: words.chat.moments, content: <Moments moments={match.value.moments} onPlay={playMoment} /> }] : []),
                ],
                onHide: () => chat.show(false),
                ...(phone ? {} : { onPopOut: chat.popOut }),
              }}
            />
          ))}
      </main>
      {friends.isNeeded && <Over load={loadCall} properties={{ friends, session, playback, life: life.signal }} onFailed={() => { friends.wish.value = null; }} />}
    </div>
  );
}

/** In the chat's place while it has a window of its own. */
function Away({ chat }: { chat: Chat }) {
  return (
    <section class="side away" aria-label={words.chat.title}>
      <h2>{words.chat.poppedOut}</h2>
      <p class="muted">{words.chat.poppedOutLine}</p>
      <Button onClick={chat.bringBack}>{words.chat.bringBack}</Button>
    </section>
  );
}

/** Goals that come up while somebody watches stand in the talk as well. */
function useGoals(chat: Chat, { moments, elapsed }: MatchNow): void {
  const known = useRef<ReadonlySet<string> | null>(null);
  useEffect(() => {
    if (elapsed === null) return;
    // What was marked by the time somebody came is no news.
    const before = known.current ?? new Set(moments.map(({ id }) => id));
    const fresh = moments.filter(({ id, kind }) => kind === 'goal' && !before.has(id));
    known.current = new Set([...before, ...moments.map(({ id }) => id)]);
    for (const { label, time } of [...fresh].reverse()) chat.room.note({ kind: 'moment', label, time });
  }, [moments, elapsed]);
}
