// The place where a broadcast is made: set-up, on air, finished. The desk behind it outlives it.
import { useEffect } from 'preact/hooks';
import { formatCount, formatLength } from '../ui/format';
import { Button } from '../ui/Button';
import { Header, TabBar } from '../ui/Header';
import { broadcast as broadcastIcon } from '../ui/icons';
import { EmptyState } from '../ui/Notice';
import type { BroadcastView } from '../protocol';
import { words } from '../words';
import { type Desk, theDesk } from './desk';
import { OnAir } from './OnAir';
import { Setup } from './Setup';
import './studio.css';

const text = words.studio;

export function Studio() {
  const desk = theDesk();
  useEffect(() => {
    document.title = `${text.title} · ${words.product}`;
    desk.attend();
    return () => desk.leave();
  }, [desk]);
  const stage = desk.stage.value;
  return (
    <>
      <Header goLive={false} />
      {stage.kind === 'setup' && <Setup desk={desk} />}
      {stage.kind === 'resume' && <Resume desk={desk} />}
      {stage.kind === 'on_air' && <OnAir desk={desk} own={stage.own} session={stage.session} />}
      {stage.kind === 'finished' && <Finished desk={desk} broadcast={stage.broadcast} />}
    </>
  );
}

function Resume({ desk }: { desk: Desk }) {
  return (
    <>
      <main id="main" tabIndex={-1}>
        <EmptyState
          title={text.resume.title}
          line={text.resume.line}
          icon={broadcastIcon}
          actions={
            <>
              <Button look="go" onClick={() => void desk.carryOn()}>{text.resume.action}</Button>
              <Button look="ghost" onClick={() => desk.backToSetup()}>{text.back}</Button>
            </>
          }
        />
      </main>
      <TabBar />
    </>
  );
}

function Finished({ desk, broadcast }: { desk: Desk; broadcast: BroadcastView | null }) {
  const started = broadcast?.started_at_ms;
  const line = broadcast && started
    ? text.finished.line(formatLength((broadcast.ended_at_ms ?? Date.now()) - started), formatCount(broadcast.viewers_peak))
    : text.finished.short;
  return (
    <>
      <main id="main" tabIndex={-1}>
        <EmptyState
          title={text.finished.title}
          line={line}
          icon={broadcastIcon}
          actions={
            <>
              <Button look="primary" onClick={() => desk.again()}>{text.finished.again}</Button>
              <Button href="/">{words.common.backToLive}</Button>
            </>
          }
        />
      </main>
      <TabBar />
    </>
  );
}
