// Somebody is calling: who, to which match, and in or not now; wherever in the app one is. With a sound that can be refused.
import './ring.css';
import { useEffect, useState } from 'preact/hooks';
import { Avatar } from '../ui/Avatar';
import { Button, IconButton } from '../ui/Button';
import { useScope } from '../ui/hooks';
import { bell, bellSlash, phone } from '../ui/icons';
import { recall, remember } from '../ui/remember';
import { navigate, pathOf } from '../ui/router';
import { callWords } from '../call_words';
import { ringing, quiet, type Ringing } from './rings';
import { ringTone } from './ring_tone';

export function RingCards() {
  const [loud, setLoud] = useState(() => recall('ringSound', true));
  const rings = ringing.value;
  useScope((until) => { if (loud && rings.length > 0) ringTone(until); }, [loud, rings.length > 0]);
  const change = (): void => {
    setLoud(!loud);
    remember('ringSound', !loud);
  };
  return (
    <div class="rings" role="alert" aria-label={callWords.ring.label}>
      {rings.map((ring) => <RingCard key={ring.call} ring={ring} loud={loud} onLoud={change} />)}
    </div>
  );
}

function RingCard({ ring, loud, onLoud }: { ring: Ringing; loud: boolean; onLoud: () => void }) {
  const say = callWords.ring;
  const { from, watching, call } = ring;
  useEffect(() => {
    const before = document.title;
    document.title = say.title(from.name);
    return () => { document.title = before; };
  }, [call]);
  const join = (): void => {
    quiet(call);
    if (watching) navigate(`${pathOf({ kind: 'watch', slug: watching.slug })}?call=${encodeURIComponent(call)}`);
  };
  const refuse = (): void => {
    quiet(call);
    ring.decline();
  };
  return (
    <section class="ring-card" aria-label={say.title(from.name)}>
      <Avatar person={from} size={44} />
      <div class="grow">
        <b class="strong">{say.title(from.name)}</b>
        <p class="clip">{watching ? say.match(watching.title) : say.unseen}</p>
        <div class="actions">
          <Button size="sm" onClick={refuse}>{say.notNow}</Button>
          {watching && <Button size="sm" look="join" icon={phone} onClick={join}>{say.join}</Button>}
        </div>
      </div>
      <IconButton icon={loud ? bell : bellSlash} label={loud ? say.quiet : say.loud} pressed={loud} tip="end" onClick={onLoud} />
    </section>
  );
}
