// The frame around the places: shows the one that the address names, loading Watch and Studio when they are first needed.
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Home } from '../home/Home';
import { words } from '../words';
import { Button } from './Button';
import { Header, TabBar } from './Header';
import { compass } from './icons';
import { EmptyState, ErrorState } from './Notice';
import { place } from './router';
import { Toasts } from './Toast';

export function App() {
  const at = place.value;
  return (
    <>
      {at.kind === 'home' && <Home />}
      {at.kind === 'watch' && <Loaded key={at.slug} load={loadWatch} properties={{ slug: at.slug }} />}
      {at.kind === 'chat' && <Loaded key={`chat ${at.slug}`} load={loadChat} properties={{ slug: at.slug }} />}
      {at.kind === 'studio' && <Loaded key="studio" load={loadStudio} properties={{}} />}
      {at.kind === 'nowhere' && <Nowhere />}
      <Toasts />
    </>
  );
}

const loadWatch = () => import('../watch/Watch').then((module) => module.Watch);
const loadChat = () => import('../chat/PopOut').then((module) => module.PopOut);
const loadStudio = () => import('../studio/Studio').then((module) => module.Studio);

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
