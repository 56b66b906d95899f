// The door as a page of its own, for whoever comes by its address. Inside, one goes on to where one wanted to go.
import './account.css';
import { useEffect, useState } from 'preact/hooks';
import { theBearer } from '../lib/bearer';
import { Header, TabBar } from '../ui/Header';
import { arrived, navigate, pathOf, replace } from '../ui/router';
import { words } from '../words';
import type { DoorSide } from './door';
import { DoorForms, doorHead } from './DoorForms';
import { nextPath } from './next_path';

export function SignInPage({ side }: { side: DoorSide }) {
  const { kind } = theBearer().who.value;
  const [sentTo, setSentTo] = useState<string | null>(null);
  const { title, line } = doorHead(side, sentTo);
  useEffect(arrived, []);
  useEffect(() => { document.title = `${title} · ${words.product}`; }, [title]);
  useEffect(() => { if (kind === 'account') navigate(nextPath(location.search)); }, [kind]);
  return (
    <>
      <Header signIn={false} />
      <main id="main" class="alone" tabIndex={-1}>
        <section class="panel door" aria-labelledby="door-title">
          <h1 id="door-title">{title}</h1>
          <p class="muted lead" role="status">{line}</p>
          <DoorForms side={side} onSide={(next) => replace(pathOf({ kind: next }) + location.search)} sentTo={sentTo} onSent={setSentTo} />
        </section>
      </main>
      <TabBar />
    </>
  );
}
