// The featured match: a live preview (muted, on the smallest layer) where it costs nobody anything, else the poster.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { BroadcastView } from '../protocol';
import { Button } from '../ui/Button';
import { formatCount } from '../ui/format';
import { useEverySecond, useMedia, usePageVisible, useScope } from '../ui/hooks';
import { play } from '../ui/icons';
import { pathOf } from '../ui/router';
import { Tally } from '../ui/Tally';
import { words } from '../words';
import { useDrawn } from '../watch/drawn';
import { useViewer } from '../watch/use_viewer';
import { TeamRows, detailOf, tallyOf, titleOf } from './Card';
import { Poster } from './Picture';

/** `alone`: nothing else is on, it takes the room of the cards. */
export function Hero({ broadcast, alone, now }: { broadcast: BroadcastView; alone: boolean; now: number }) {
  const allowed = usePreviewAllowed();
  const [delay, setDelay] = useState<number | null>(null);
  const shownDelay = useEverySecond(delay);
  const title = titleOf(broadcast);
  const meta = [detailOf(broadcast, now), broadcast.viewers > 0 ? words.home.viewers(formatCount(broadcast.viewers)) : ''].filter(Boolean);
  return (
    <section class={`hero over ${alone ? 'alone' : ''}`} aria-label={words.home.featured}>
      <div class="picture">
        <Poster broadcast={broadcast} />
        {allowed && broadcast.state === 'live' && <Preview key={broadcast.id} slug={broadcast.slug} onDelay={setDelay} />}
      </div>
      <div class="inside">
        <div><Tally state={tallyOf(broadcast, shownDelay)} /></div>
        <div class="board">
          {broadcast.teams ? <TeamRows teams={broadcast.teams} score={broadcast.score} /> : <h2>{title}</h2>}
        </div>
        <p class="meta num">{meta.join(' · ')}</p>
        <div><Button look="primary" size="lg" icon={play} href={pathOf({ kind: 'watch', slug: broadcast.slug })}>{words.home.watchLive}</Button></div>
      </div>
    </section>
  );
}

/** Only while the page is seen, and never against a wish to save data or to see less motion. */
function usePreviewAllowed(): boolean {
  const visible = usePageVisible();
  const lessData = useMedia('(prefers-reduced-data: reduce)');
  const lessMotion = useMedia('(prefers-reduced-motion: reduce)');
  const saving = (navigator as { connection?: { saveData?: boolean } }).connection?.saveData === true;
  return visible && !lessData && !lessMotion && !saving;
}

function Preview({ slug, onDelay }: { slug: string; onDelay: (delayMs: number | null) => void }) {
  const video = useRef<HTMLVideoElement>(null);
  const session = useViewer(slug, { preview: true });
  const [moving, setMoving] = useState(false);
  const playing = session.phase.value.kind === 'playing';
  const latency = session.latencyMs.value;

  useScope((until) => {
    const element = video.current;
    if (!element) return;
    // The hero is wide: the smallest layer would be a blur, the largest more than a glance is worth.
    session.setQuality({ mode: 'layer', spatial: 1 });
    element.muted = true;
    element.srcObject = session.stream;
    session.watchFrames(element, until);
    // A muted video may always start; where it still may not, the poster stays.
    element.play().catch(() => setMoving(false));
    until.addEventListener('abort', () => { element.srcObject = null; }, { once: true });
  }, [session]);

  useDrawn(video, 'cover', session);
  useEffect(() => {
    onDelay(playing ? latency : null);
    return () => onDelay(null);
  }, [playing, latency]);

  return <video ref={video} class={`still preview ${moving && playing ? 'moving' : ''}`} playsInline aria-hidden="true" tabIndex={-1} onPlaying={() => setMoving(true)} />;
}
