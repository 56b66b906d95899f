// Home: what is live now. The largest audience on top, the others as cards; honest words when there is nothing or no answer.
import './home.css';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { BroadcastView } from '../protocol';
import { Button } from '../ui/Button';
import { Header, TabBar } from '../ui/Header';
import { useTick } from '../ui/hooks';
import { broadcast as broadcastIcon, filmSlate } from '../ui/icons';
import { FriendsHere } from '../friends/FriendsHere';
import { EmptyState, ErrorState } from '../ui/Notice';
import { arrived } from '../ui/router';
import { words } from '../words';
import { Card } from './Card';
import { Hero } from './Hero';
import { chooseHero, followLive } from './live_list';

export function Home() {
  const life = useMemo(() => new AbortController(), []);
  const { list, ask } = useMemo(() => followLive(life.signal), [life]);
  useEffect(() => {
    arrived();
    document.title = `${words.home.title} · ${words.product}`;
    return () => life.abort();
  }, [life]);
  const state = list.value;
  return (
    <>
      <Header />
      <main id="main" class="home" tabIndex={-1}>
        <h1 class="sr">{words.home.title}</h1>
        {state.kind === 'loading' && <Loading />}
        {state.kind === 'failed' && <ErrorState title={words.home.errorTitle} line={words.home.errorLine} onRetry={ask} />}
        {state.kind === 'ready' && <Live broadcasts={state.broadcasts} />}
      </main>
      <TabBar />
    </>
  );
}

function Live({ broadcasts }: { broadcasts: BroadcastView[] }) {
  const now = useTick(20_000);
  const featured = useRef<string | null>(null);
  const hero = chooseHero(broadcasts, featured.current);
  featured.current = hero?.id ?? null;
  if (!hero) {
    return (
      <EmptyState
        icon={filmSlate}
        title={words.home.emptyTitle}
        line={words.home.emptyLine}
        actions={<Button look="primary" icon={broadcastIcon} href="/studio">{words.header.goLive}</Button>}
      />
    );
  }
  const others = broadcasts.filter((broadcast) => broadcast !== hero);
  return (
    <>
      <Hero broadcast={hero} alone={others.length === 0} now={now} />
      <FriendsHere />
      {others.length > 0
        ? (
          <section aria-labelledby="also-live">
            <h2 id="also-live" class="section">{words.home.liveNow}</h2>
            <ul class="cards">{others.map((broadcast) => <Card key={broadcast.id} broadcast={broadcast} now={now} />)}</ul>
          </section>
        )
        : (
          <section class="invite">
            <div class="grow">
              <h2>{words.home.only}</h2>
              <p class="muted">{words.home.onlyLine}</p>
            </div>
            <Button href="/studio" icon={broadcastIcon}>{words.header.goLive}</Button>
          </section>
        )}
    </>
  );
}

function Loading() {
  return (
    <div role="status">
      <span class="sr">{words.home.loading}</span>
      <div class="block hero-block" />
      <div class="cards">{[0, 1, 2, 3].map((card) => <div key={card} class="block card-block" />)}</div>
    </div>
  );
}
