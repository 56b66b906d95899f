// Watch: the player, and below it what is being played.
import './watch.css';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { titleOf } from '../home/Card';
import { Header } from '../ui/Header';
import { arrived } from '../ui/router';
import { words } from '../words';
import { Player } from './Player';
import { Under } from './Under';
import { followMatch } from './match';
import { useViewer } from './use_viewer';

export function Watch({ slug }: { slug: string }) {
  // A private link carries its token in the address.
  const token = useMemo(() => new URLSearchParams(location.search).get('token') ?? undefined, [slug]);
  const session = useViewer(slug, { token });
  const life = useMemo(() => new AbortController(), [session]);
  const match = useMemo(() => followMatch(session, life.signal), [session, life]);
  const [theatre, setTheatre] = useState(false);
  const broadcast = session.broadcast.value;

  useEffect(arrived, []);
  useEffect(() => () => life.abort(), [life]);
  useEffect(() => {
    document.title = `${broadcast ? titleOf(broadcast) : words.header.live} · ${words.product}`;
  }, [broadcast?.title]);

  return (
    <div class={`watch ${theatre ? 'theatre' : ''}`}>
      <Header />
      <main id="main" tabIndex={-1}>
        <Player session={session} match={match} theatre={theatre} onTheatre={setTheatre} />
        {broadcast
          ? <Under broadcast={broadcast} viewers={session.viewers.value.count} match={match} />
          : <h1 class="sr">{words.watch.player}</h1>}
      </main>
    </div>
  );
}
