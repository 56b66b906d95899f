// Oneself before friends see one: the picture, how loud one is, and which camera and microphone. Says in words why there is none.
import { useRef, useState } from 'preact/hooks';
import { METER_FLOOR_DB, METER_SEGMENTS, fallen, segmentsLit } from '../lib/audio_meter';
import { Avatar } from '../ui/Avatar';
import { Button, IconButton } from '../ui/Button';
import { Select } from '../ui/Field';
import { useScope } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import { microphoneFill, microphoneSlashFill, videoCameraFill, videoCameraSlashFill, warningCircleFill } from '../ui/icons';
import { callWords } from '../call_words';
import type { Call } from './call';
import type { CallDevices } from './devices';
import { useStream } from './use_stream';

/** A number that changes faster cannot be read, ms. */
const SPOKEN_EVERY_MS = 500;

export type DevicePanelProps = { devices: CallDevices; person: { id: string; name: string; picture_version: number } };

export function DevicePanel({ devices, person }: DevicePanelProps) {
  const say = callWords.devices;
  const video = useRef<HTMLVideoElement>(null);
  useStream(video, devices.preview.value);
  const camera = devices.camera.value;
  const microphone = devices.microphone.value;
  const on = camera.kind === 'on';
  const heard = devices.isMicrophoneOn.value;
  const trouble = camera.kind === 'failed' ? say.camera_problems[camera.failure] : null;
  const { cameras, microphones } = devices.devices.value;
  return (
    <div class="device-panel">
      <div class="device-preview over">
        <video ref={video} class="mirrored" muted playsInline autoplay aria-label={say.preview} hidden={!on} />
        {!on && (
          <div class="nobody" role="status">
            <Avatar person={person} size={72} />
            <b>{trouble?.title ?? (camera.kind === 'opening' ? say.opening : say.off)}</b>
            {trouble && <p>{trouble.line}</p>}
            {trouble && <Button size="sm" onClick={() => void devices.turnCamera(true)}>{say.again}</Button>}
          </div>
        )}
        <div class="device-switches">
          <IconButton
            icon={heard && microphone.kind === 'on' ? microphoneFill : microphoneSlashFill} off={!heard || microphone.kind !== 'on'} disabled={microphone.kind !== 'on'}
            label={heard ? callWords.dock.mute : callWords.dock.unmute} tip="start" onClick={() => { devices.isMicrophoneOn.value = !heard; }}
          />
          <IconButton
            icon={on ? videoCameraFill : videoCameraSlashFill} off={!on} label={on ? say.turnOff : say.turnOn}
            onClick={() => void devices.turnCamera(!on)}
          />
          <Level devices={devices} />
        </div>
      </div>
      {microphone.kind === 'failed' && (
        <p class="help error" role="alert">
          <Icon svg={warningCircleFill} size="s" />
          <span>{say.microphone_problems[microphone.failure]} <button type="button" class="link" onClick={() => void devices.openMicrophone()}>{say.again}</button></span>
        </p>
      )}
      <div class="device-choices">
        {cameras.length > 1 && (
          <Select
            label={say.camera} value={devices.cameraId.value ?? ''} onValue={(id) => void devices.chooseCamera(id || null)}
            options={[{ value: '', label: say.defaultDevice }, ...cameras.map(({ id, label }) => ({ value: id, label }))]}
          />
        )}
        {microphones.length > 1 && (
          <Select
            label={say.microphone} value={devices.microphoneId.value ?? ''} onValue={(id) => void devices.chooseMicrophone(id || null)}
            options={[{ value: '', label: say.defaultDevice }, ...microphones.map(({ id, label }) => ({ value: id, label }))]}
          />
        )}
      </div>
    </div>
  );
}

/** Asks for both when the dialog opens, as long as it is there. Where friends are there already nothing opens unasked: they would see it. */
export function useDevices({ devices, isOn }: Pick<Call, 'devices' | 'isOn'>): void {
  useScope((until) => { if (!isOn.peek()) void devices.openBoth(until); }, [devices]);
}

function Level({ devices }: { devices: CallDevices }) {
  const bar = useRef<HTMLDivElement>(null);
  const [spoken, setSpoken] = useState(METER_FLOOR_DB);
  useScope((until) => {
    let shown = METER_FLOOR_DB;
    let last = performance.now();
    let told = last;
    const draw = (now: number): void => {
      if (until.aborted) return;
      shown = fallen(shown, devices.level().peakDb, now - last);
      last = now;
      bar.current?.style.setProperty('--lit', `${segmentsLit(shown) / METER_SEGMENTS}`);
      if (now - told > SPOKEN_EVERY_MS) {
        told = now;
        setSpoken(Math.round(shown));
      }
      requestAnimationFrame(draw);
    };
    requestAnimationFrame(draw);
  }, [devices]);
  return <div ref={bar} class="level" role="meter" aria-label={callWords.devices.level} aria-valuemin={METER_FLOOR_DB} aria-valuemax={0} aria-valuenow={spoken} />;
}
