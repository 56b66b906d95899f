// Says why the picture is a moment behind, and what happens next: over the picture, or on phones as a strip below it.
import { useState } from 'preact/hooks';
import type { WatchSession } from '../playback/session';
import type { DownReason } from '../playback/transport';
import { Button, IconButton } from '../ui/Button';
import { formatDelay } from '../ui/format';
import { useEverySecond, useScope } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import { clockCountdown, x } from '../ui/icons';
import { words } from '../words';

/** What mends itself within this long is not worth a word, ms. */
const SAID_AFTER_MS = 1_500;

/** The reasons that are news to the person: not what they chose themselves, and not what passes within seconds. */
type NewsReason = Exclude<DownReason, 'sooner' | 'pinned'>;

export function BehindNote({ session, strip = false }: { session: WatchSession; strip?: boolean }) {
  const { shown, why } = session.carrier.value;
  const reason: NewsReason | null = shown === 'hls' && why !== null && why !== 'sooner' && why !== 'pinned' && session.phase.value.kind === 'playing' ? why : null;
  const [said, setSaid] = useState<NewsReason | null>(null);
  const [closed, setClosed] = useState<NewsReason | null>(null);
  const delay = useEverySecond(session.latencyMs.value);
  useScope((until) => {
    if (reason === null) {
      setSaid(null);
      return;
    }
    const timer = setTimeout(() => setSaid(reason), SAID_AFTER_MS);
    until.addEventListener('abort', () => clearTimeout(timer));
  }, [reason]);

  const say = words.behind;
  const note = said !== null && said !== closed ? said : null;
  return (
    <>
      {/* Always there, so that a change of words inside it is announced. */}
      <p class="sr" role="status" aria-live="polite">{note ? `${say.title[note]}. ${say.line[note]}` : ''}</p>
      {note && (
        <aside class={strip ? 'behind-note strip' : 'behind-note layer over'} aria-label={say.label}>
          <Icon svg={clockCountdown} />
          <div class="grow">
            <b>{say.title[note]}</b>
            <p class="num">{say.line[note]}{delay !== null && ` ${say.delay(formatDelay(delay))}`}</p>
            {note !== 'codec' && (
              <div class="actions">
                {note !== 'node' && <Button look="primary" size="sm" onClick={() => session.goLive()}>{say.tryNow}</Button>}
                {note !== 'node' && <Button look="secondary" size="sm" onClick={() => session.setPin('hls')}>{say.stay}</Button>}
              </div>
            )}
          </div>
          <IconButton icon={x} label={words.common.close} tip="end" onClick={() => setClosed(note)} />
        </aside>
      )}
    </>
  );
}
