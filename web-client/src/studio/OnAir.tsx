// On air: the picture that goes out, how well it goes, and what the broadcaster can do meanwhile.
import { useState } from 'preact/hooks';
import type { OwnBroadcast } from '../lib/own_broadcast';
import type { PublisherSession } from '../lib/publisher';
import type { PublisherPhase } from '../lib/publisher_state';
import { Button, IconButton } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { formatClock, formatCount } from '../ui/format';
import { useTick } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import { eye, microphoneFill, microphoneSlashFill, monitor, plugs, videoCamera, videoCameraFill, videoCameraSlashFill } from '../ui/icons';
import { Later } from '../ui/Over';
import { Tally } from '../ui/Tally';
import { showToast } from '../ui/Toast';
import { canShareScreen } from '../lib/capture';
import { words } from '../words';
import type { Desk } from './desk';
import { EncoderPanel } from './EncoderPanel';
import { HealthPanel } from './HealthPanel';
import { MatchPanel } from './MatchPanel';
import { Meter } from './Meter';
import { Preview } from './Preview';
import { CaptureState } from './Setup';
import { ShareLink } from './ShareLink';

const text = words.studio;
const loadGuests = () => import('./GuestsPanel').then((module) => module.GuestsPanel);

type OnAirProps = { desk: Desk; own: OwnBroadcast; session: PublisherSession };

export function OnAir({ desk, own, session }: OnAirProps) {
  const [ending, setEnding] = useState(false);
  const encoder = own.source === 'encoder';
  return (
    <main id="main" class="studio on-air" tabIndex={-1}>
      <section class="stage">
        <Head session={session} onEnd={() => setEnding(true)} />
        {encoder
          ? <EncoderPanel own={own} live={session.phase.value.kind === 'live'} />
          : (
            <Preview desk={desk} label={text.livePicture}>
              <CaptureState desk={desk} />
              <Dock desk={desk} />
            </Preview>
          )}
        <PhaseRow desk={desk} session={session} encoder={encoder} />
        <HealthPanel session={session} rate={encoder ? null : (desk.video.value?.getSettings().frameRate ?? 30)} />
      </section>
      <aside class="panel">
        <MatchPanel session={session} />
        <Later load={loadGuests} properties={{ session, own }} />
        <ShareLink url={own.watchUrl} />
      </aside>
      {ending && <EndDialog session={session} onClose={() => setEnding(false)} />}
    </main>
  );
}

function Head({ session, onEnd }: { session: PublisherSession; onEnd: () => void }) {
  const broadcast = session.broadcast.value;
  const live = session.phase.value.kind === 'live';
  const viewers = broadcast?.viewers ?? 0;
  return (
    <div class="head">
      {live ? <Tally state={{ kind: 'live', delayMs: null }} /> : <span class="badge behind">{shortPhase(session.phase.value, session)}</span>}
      <h1 class="clip">{broadcast?.title || words.common.untitled}</h1>
      <Elapsed session={session} />
      <span class="grow" />
      <span class="watching num strong" title={text.viewers}>
        <Icon svg={eye} size="s" />
        {formatCount(viewers)}<span class="sr"> {text.viewers}</span>
      </span>
      <Button look="danger" onClick={onEnd}>{text.end}</Button>
    </div>
  );
}

function shortPhase(phase: PublisherPhase, session: PublisherSession): string {
  if (phase.kind === 'connecting' && session.broadcast.value?.state === 'idle') return text.notLive;
  return phase.kind === 'reconnecting' ? words.tally.reconnecting : phase.kind === 'connecting' ? text.phases.connecting : text.notLive;
}

function Elapsed({ session }: { session: PublisherSession }) {
  useTick(1_000);
  const started = session.broadcast.value?.started_at_ms;
  const now = session.serverNow();
  if (!started || now === null) return null;
  const elapsed = Math.max(0, now - started);
  const hours = Math.floor(elapsed / 3_600_000);
  const clock = hours > 0 ? `${hours}:${formatClock(elapsed % 3_600_000).padStart(5, '0')}` : formatClock(elapsed);
  return <span class="muted num" role="timer" aria-label={text.onAirFor}>{clock}</span>;
}

function Dock({ desk }: { desk: Desk }) {
  const sound = desk.microphoneOn.value;
  const picture = desk.pictureOn.value;
  const screen = desk.sourceKind.value === 'screen';
  return (
    <div class="dock">
      <IconButton
        icon={sound ? microphoneFill : microphoneSlashFill} off={!sound} disabled={!desk.hasSound}
        label={sound ? text.muteMicrophone : text.unmuteMicrophone} onClick={() => { desk.microphoneOn.value = !sound; }}
      />
      <Meter desk={desk} />
      <span class="rule" />
      <IconButton
        icon={picture ? videoCameraFill : videoCameraSlashFill} off={!picture}
        label={picture ? text.cameraOff : text.cameraOn} onClick={() => { desk.pictureOn.value = !picture; }}
      />
      {screen && <IconButton icon={videoCamera} label={text.useCamera} onClick={() => void desk.chooseSource('camera')} />}
      {canShareScreen() && (
        <IconButton icon={monitor} pressed={screen} label={screen ? text.shareOther : text.shareScreen} onClick={() => void desk.shareScreen()} />
      )}
    </div>
  );
}

/** One row under the picture when not everything is well. */
function PhaseRow({ desk, session, encoder }: { desk: Desk; session: PublisherSession; encoder: boolean }) {
  const phase = session.phase.value;
  const back = <Button size="sm" onClick={() => desk.backToSetup()}>{text.back}</Button>;
  const again = <Button size="sm" onClick={() => session.retry()}>{words.common.tryAgain}</Button>;
  switch (phase.kind) {
    case 'live':
    case 'ended':
      return null;
    case 'connecting':
      return encoder
        ? <Row icon={plugs} title={text.phases.waiting} line={text.phases.waitingLine} calm />
        : <Row icon={videoCamera} title={text.phases.connecting} line={text.phases.connectingLine} calm />;
    case 'reconnecting':
      return <Row title={text.phases.reconnecting} line={text.phases.reconnectingLine} action={again} />;
    case 'blocked':
      return <Row title={text.phases.blocked} line={text.phases.blockedLine} action={again} />;
    case 'taken':
      return <Row title={text.phases.taken} line={text.phases.takenLine} action={<>{again}{back}</>} />;
    case 'refused':
      return <Row title={text.phases.refused} line={phase.message} action={back} />;
  }
}

type RowProps = { title: string; line: string; icon?: string; calm?: boolean; action?: preact.ComponentChildren };

function Row({ title, line, icon, calm, action }: RowProps) {
  return (
    <div class={`notice-row ${calm ? 'calm' : ''}`} role="status">
      {icon && <Icon svg={icon} />}
      <p class="grow"><b class="strong">{title}</b> <span class="muted">{line}</span></p>
      {action}
    </div>
  );
}

function EndDialog({ session, onClose }: { session: PublisherSession; onClose: () => void }) {
  const [busy, setBusy] = useState(false);
  const end = (): void => {
    setBusy(true);
    session.end().catch(() => {
      setBusy(false);
      showToast({ kind: 'trouble', title: text.endFailed, line: text.endFailedLine });
    });
  };
  return (
    <Dialog
      title={text.endTitle} onClose={onClose}
      actions={
        <>
          <Button autofocus onClick={onClose}>{text.endKeep}</Button>
          <Button look="go" busy={busy} onClick={end}>{text.end}</Button>
        </>
      }
    >
      <p class="muted">{text.endLine}</p>
    </Dialog>
  );
}
