// Where somebody is signed in, and the way to end that: on one device, or on all of them.
import { useState } from 'preact/hooks';
import { theBearer } from '../lib/bearer';
import type { Device } from '../protocol';
import { Ask } from '../ui/Ask';
import { Button } from '../ui/Button';
import { useTick } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import { deviceMobile, monitor } from '../ui/icons';
import { ErrorState } from '../ui/Notice';
import { formatAgo } from '../ui/format';
import { showToast } from '../ui/Toast';
import { accountWords } from '../account_words';
import { words } from '../words';
import { getDevices, signDeviceOut, signOutEverywhere } from './account_api';
import { deviceName, isHandheld } from './device_name';
import { sayFailed } from './say_failed';
import { Section } from './Section';
import { leave } from './sign_out';
import { useAsked } from './use_asked';

/** `here`: the device that this page is on. */
type Devices = { devices: readonly Device[]; here: string | null };

export function DevicesSection() {
  const say = accountWords.devices;
  const [asking, setAsking] = useState(false);
  const { asked, again, set } = useAsked<Devices>(async (signal) => {
    // Whoever has renewed last is seen last: that is us.
    await theBearer().renewNow();
    const devices = await getDevices({ signal });
    return { devices, here: devices[0]?.id ?? null };
  });
  return (
    <Section id="devices" title={say.title} line={say.line}>
      {asked.kind === 'asking' && <div class="block row-block" />}
      {asked.kind === 'failed' && <ErrorState title={say.failed} line={accountWords.loadFailedLine} onRetry={again} />}
      {asked.kind === 'there' && (
        <>
          <ul class="rows">
            {asked.value.devices.map((device) => (
              <Row
                key={device.id} device={device} here={device.id === asked.value.here}
                onGone={() => set({ ...asked.value, devices: asked.value.devices.filter(({ id }) => id !== device.id) })}
              />
            ))}
          </ul>
          {asked.value.devices.length > 1 && <Button size="sm" onClick={() => setAsking(true)}>{say.everywhere}</Button>}
        </>
      )}
      {asking && <Everywhere onClose={() => setAsking(false)} />}
    </Section>
  );
}

function Row({ device, here, onGone }: { device: Device; here: boolean; onGone: () => void }) {
  const say = accountWords.devices;
  const now = useTick(30_000);
  const [busy, setBusy] = useState(false);
  const name = deviceName(device.name) ?? say.unknown;
  const end = async (): Promise<void> => {
    setBusy(true);
    try {
      await signDeviceOut(device.id);
      showToast({ title: say.gone, line: say.goneLine(name) });
      onGone();
    } catch (thrown) {
      sayFailed(thrown);
      setBusy(false);
    }
  };
  return (
    <li class="fact">
      <Icon svg={isHandheld(device.name) ? deviceMobile : monitor} />
      <div class="grow">
        <p class="strong clip">{name}</p>
        <p class="muted small">{here ? say.thisOne : say.seen(formatAgo(now - device.seen_at_ms))}</p>
      </div>
      {here
        ? <Button size="sm" onClick={() => void leave()}>{say.signOut}</Button>
        : <Button size="sm" busy={busy} label={say.signOutOf(name)} onClick={() => void end()}>{say.signOut}</Button>}
    </li>
  );
}

function Everywhere({ onClose }: { onClose: () => void }) {
  const say = accountWords.devices;
  const end = async (): Promise<void> => {
    try {
      await signOutEverywhere();
      theBearer().signedOut();
      showToast({ title: words.signedOut.title });
    } catch (thrown) {
      sayFailed(thrown);
    }
  };
  return <Ask title={say.everywhereTitle} line={say.everywhereLine} action={say.everywhere} run={end} onClose={onClose} />;
}
