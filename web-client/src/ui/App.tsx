// The frame around the places: shows the one that the address names, loading Watch and Studio when they are first needed.
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { type Door, closeDoor, door, openDoor } from '../account/door';
import { ringing } from '../call/rings';
import { friendsPanel } from '../friends/panel';
import { theBearer } from '../lib/bearer';
import { Home } from '../home/Home';
import { words } from '../words';
import { Button } from './Button';
import { Header, TabBar } from './Header';
import { compass } from './icons';
import { EmptyState, ErrorState } from './Notice';
import { Later, Over } from './Over';
import { place } from './router';
import { Toasts, showToast } from './Toast';

export function App() {
  const at = place.value;
  useFarewell();
  return (
    <>
      {at.kind === 'home' && <Home />}
      {at.kind === 'watch' && <Loaded key={at.slug} load={loadWatch} properties={{ slug: at.slug }} />}
      {at.kind === 'chat' && <Loaded key={`chat ${at.slug}`} load={loadChat} properties={{ slug: at.slug }} />}
      {at.kind === 'studio' && <Loaded key="studio" load={loadStudio} properties={{}} />}
      {(at.kind === 'sign_in' || at.kind === 'sign_up' || at.kind === 'forgot') && <Loaded key="door" load={loadSignIn} properties={{ side: at.kind }} />}
      {at.kind === 'account' && <Loaded key="account" load={loadAccount} properties={{}} />}
      {at.kind === 'verify' && <Loaded key="verify" load={loadVerify} properties={{}} />}
      {at.kind === 'reset' && <Loaded key="reset" load={loadReset} properties={{}} />}
      {at.kind === 'friends' && <Loaded key="friends" load={loadFriends} properties={{ person: at.person }} />}
      {at.kind === 'nowhere' && <Nowhere />}
      {friendsPanel.value === 'open' && <Over load={loadPanel} properties={{}} onFailed={() => { friendsPanel.value = 'closed'; }} />}
      {door.value && <Over<{ open: Door }> load={loadDoor} properties={{ open: door.value }} onFailed={closeDoor} />}
      {ringing.value.length > 0 && <Later load={loadRing} properties={{}} />}
      <Toasts />
    </>
  );
}

const loadWatch = () => import('../watch/Watch').then((module) => module.Watch);
const loadChat = () => import('../chat/PopOut').then((module) => module.PopOut);
const loadStudio = () => import('../studio/Studio').then((module) => module.Studio);
const loadSignIn = () => import('../account/SignInPage').then((module) => module.SignInPage);
const loadAccount = () => import('../account/AccountPage').then((module) => module.AccountPage);
const loadVerify = () => import('../account/VerifyPage').then((module) => module.VerifyPage);
const loadReset = () => import('../account/ResetPage').then((module) => module.ResetPage);
const loadFriends = () => import('../friends/FriendsPage').then((module) => module.FriendsPage);
const loadRing = () => import('../call/RingCards').then((module) => module.RingCards);
const loadDoor = () => import('../account/DoorDialog').then((module) => module.DoorDialog);

const loadPanel = () => import('../friends/FriendsPanel').then((module) => module.FriendsPanel);

/** Says it when the server has signed this device out. */
function useFarewell(): void {
  const who = theBearer().who.value;
  const ended = who.kind === 'guest' && who.ended;
  useEffect(() => {
    if (ended) showToast({ kind: 'trouble', title: words.signedOut.ended, line: words.signedOut.endedLine, action: { label: words.header.signIn, run: () => openDoor('sign_in') } });
  }, [ended]);
}

type LoadedProps<P> = { load: () => Promise<ComponentType<P>>; properties: P };

/** A place whose code comes on demand. A failed load is told, not swallowed: the network may be back at the next try. */
function Loaded<P>({ load, properties }: LoadedProps<P>) {
  const [state, setState] = useState<{ kind: 'loading' } | { kind: 'ready'; component: ComponentType<P> } | { kind: 'failed' }>({ kind: 'loading' });
  const begin = () => {
    setState({ kind: 'loading' });
    load().then((component) => setState({ kind: 'ready', component }), () => setState({ kind: 'failed' }));
  };
  useEffect(begin, [load]);
  switch (state.kind) {
    case 'loading': return <><Header /><main id="main" class="loading"><div class="block" /></main></>;
    case 'failed': return <><Header /><main id="main"><ErrorState title={words.common.pageFailed} line={words.common.pageFailedLine} onRetry={begin} /></main></>;
    case 'ready': {
      const Component = state.component;
      // Preact types a component's properties together with its children, which places do not have.
      return <Component {...(properties as P & object)} />;
    }
  }
}

function Nowhere() {
  useEffect(() => { document.title = `${words.nowhere.title} · ${words.product}`; }, []);
  return (
    <>
      <Header />
      <main id="main" tabIndex={-1}>
        <EmptyState only title={words.nowhere.title} line={words.nowhere.line} icon={compass} actions={<Button look="primary" href="/">{words.common.backToLive}</Button>} />
      </main>
      <TabBar />
    </>
  );
}
