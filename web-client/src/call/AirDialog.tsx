// The broadcaster asks: a look at oneself, then yes or no. Nothing goes out before.
import { useEffect, useState } from 'preact/hooks';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { useTick } from '../ui/hooks';
import { broadcastFill } from '../ui/icons';
import { showToast } from '../ui/Toast';
import { callWords } from '../call_words';
import { DevicePanel, useDevices } from './DevicePanel';
import type { Party } from './party';
import { usePerson } from './PreJoin';
import { asRequestError } from '../lib/errors';
import { sayRefused } from './say_refused';

export function AirDialog({ party }: { party: Party }) {
  const say = callWords.air;
  const { air, call, session } = party;
  const person = usePerson(party);
  useDevices(call);
  useTick(1_000);
  const [busy, setBusy] = useState(false);
  const state = air.state.value;
  const now = session.serverNow() ?? Date.now();
  const left = state.kind === 'asked' ? Math.max(0, Math.ceil((state.expiresAtMs - now) / 1_000)) : null;
  // What is under way stays on screen until it is known how it went.
  const refuse = (): void => { if (!busy) party.try(air.refuse()); };
  useEffect(() => {
    if (left !== 0 || busy) return;
    refuse();
    showToast({ kind: 'trouble', title: say.late, line: say.lateLine });
  }, [left === 0 && !busy]);
  const accept = async (): Promise<void> => {
    setBusy(true);
    try {
      await call.devices.forAir(true);
      await air.accept();
    } catch (thrown) {
      sayRefused(asRequestError(thrown), callWords.failed);
    } finally {
      setBusy(false);
    }
  };
  const ready = call.devices.camera.value.kind === 'on' || call.devices.microphone.value.kind === 'on';
  return (
    <Dialog
      title={say.asked} onClose={refuse}
      actions={(
        <>
          <Button autofocus disabled={busy} onClick={refuse}>{say.refuse}</Button>
          <Button look="go" icon={broadcastFill} busy={busy} disabled={!ready} onClick={() => void accept()}>{say.accept}</Button>
        </>
      )}
    >
      <p class="muted">{say.askedLine}</p>
      <DevicePanel devices={call.devices} person={person} />
      {left !== null && <p class="muted small num" aria-live="off">{say.seconds(left)}</p>}
    </Dialog>
  );
}
