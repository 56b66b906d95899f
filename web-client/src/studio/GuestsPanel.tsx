// Guests of a broadcast: who has a hand up, who is on air, how the two pictures share the screen..
import './guests.css';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { sayFailed } from '../account/say_failed';
import { useStream } from '../call/use_stream';
import type { OwnBroadcast } from '../lib/own_broadcast';
import type { PublisherSession } from '../lib/publisher';
import { ViewerSession } from '../lib/viewer';
import type { GuestView, OnAirAsk, OnAirLayout } from '../protocol';
import { Avatar } from '../ui/Avatar';
import { Button, IconButton } from '../ui/Button';
import { speakerHigh, speakerSlash } from '../ui/icons';
import { showToast } from '../ui/Toast';
import { callWords } from '../call_words';

const LAYOUTS: readonly OnAirLayout[] = ['side_by_side', 'inset', 'guest_only'];
/** Of the guest's picture beside the broadcaster's own, lines. */
const PREVIEW_LINES = 270;

export type GuestsPanelProps = { session: PublisherSession; own: OwnBroadcast };

export function GuestsPanel({ session, own }: GuestsPanelProps) {
  const say = callWords.studio;
  const hands = session.hands.value;
  const guest = session.broadcast.value?.guest ?? null;
  const [busy, setBusy] = useState(false);
  const ask = async (what: OnAirAsk, done?: string): Promise<void> => {
    setBusy(true);
    try {
      await session.onAir(what);
      if (done) showToast({ title: done });
    } catch (thrown) {
      sayFailed(thrown, say.failed);
    } finally {
      setBusy(false);
    }
  };
  return (
    <section class="guests" aria-labelledby="guests-title">
      <h2 id="guests-title">{say.title}</h2>
      {guest && (
        <div class="guest-now">
          <Guest session={session} own={own} guest={guest} />
          <fieldset class="guest-layout">
            <legend class="label">{say.layout}</legend>
            <div class="segmented" role="radiogroup" aria-label={say.layout}>
              {LAYOUTS.map((layout) => (
                <button
                  key={layout} type="button" role="radio" aria-checked={guest.layout === layout} disabled={busy}
                  onClick={() => void ask({ ask: 'layout', layout })}
                >
                  {callWords.air.layouts[layout]}
                </button>
              ))}
            </div>
          </fieldset>
          <Button look="danger" wide busy={busy} label={say.endLabel(guest.name)} onClick={() => void ask({ ask: 'end' })}>{say.end}</Button>
        </div>
      )}
      {hands.length === 0
        ? !guest && <div class="muted small"><b class="strong">{say.none}</b><p>{say.noneLine}</p></div>
        : (
          <>
            <h3>{say.hands}</h3>
            <ul class="hands">
              {hands.map((hand) => (
                <li key={hand.user}>
                  <Avatar person={{ id: hand.user, name: hand.name, picture_version: 0 }} size={32} />
                  <span class="grow clip"><b class="strong"><bdi>{hand.name}</bdi></b>{hand.guest && <span class="muted small"> {say.guest}</span>}</span>
                  <Button
                    size="sm" busy={busy} disabled={guest !== null} label={say.inviteLabel(hand.name)}
                    onClick={() => void ask({ ask: 'invite', user: hand.user }, say.invited(hand.name))}
                  >
                    {say.invite}
                  </Button>
                </li>
              ))}
            </ul>
          </>
        )}
      <p class="sr" role="status">{hands.length > 0 ? `${say.hands}: ${hands.map(({ name }) => name).join(', ')}` : ''}</p>
    </section>
  );
}

/** As viewers see them: by a viewer's peer beside the publisher's, which counts as nobody's. Silent until asked, because the Studio's microphone cancels nothing. */
function Guest({ session, own, guest }: GuestsPanelProps & { guest: GuestView }) {
  const say = callWords.studio;
  const video = useRef<HTMLVideoElement>(null);
  const [heard, setHeard] = useState(false);
  const held = useMemo(() => {
    const controller = new AbortController();
    const viewer = new ViewerSession({ broadcast: own.id, token: own.token, preview: true, connection: session.connection, lifetime: controller.signal });
    viewer.drawn(0);
    viewer.guestDrawn(PREVIEW_LINES);
    return { controller, viewer };
  }, [session, own.id, guest.user]);
  useEffect(() => () => held.controller.abort(), [held]);
  useStream(video, held.viewer.guest);
  useEffect(() => { if (video.current) video.current.muted = !heard; }, [heard]);
  return (
    <figure class="guest-preview">
      <video ref={video} playsInline autoplay muted aria-label={say.picture(guest.name)} />
      <figcaption class="row">
        <span class="grow clip"><b class="strong"><bdi>{guest.name}</bdi></b> <span class="muted small">{say.onAir}</span></span>
        <IconButton icon={heard ? speakerHigh : speakerSlash} label={heard ? say.mute : say.hear} pressed={heard} tip="end" onClick={() => setHeard(!heard)} />
      </figcaption>
      {heard && <p class="help">{say.hearLine}</p>}
    </figure>
  );
}
