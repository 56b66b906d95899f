// Before going live: preview, source, devices, what the match is called, and whether everything is ready.
import { type ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { CAMERA_HEIGHTS, type CameraHeight, canCapture, canShareScreen, likelyCodec } from '../lib/capture';
import { METER_FLOOR_DB } from '../lib/audio_meter';
import { encodingsFor } from '../lib/encodings';
import type { RequestError } from '../lib/errors';
import { Button, IconButton } from '../ui/Button';
import { Field, Select, Switch } from '../ui/Field';
import { formatBitrate } from '../ui/format';
import { useScope } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import { checkCircle, circleNotch, microphoneFill, microphoneSlashFill, monitor, plugs, videoCamera, warningFill } from '../ui/icons';
import { words } from '../words';
import type { Capture, Desk, SourceKind } from './desk';
import { Meter } from './Meter';
import { Preview } from './Preview';
import { TeamFields } from './TeamFields';

const text = words.studio;

export function Setup({ desk }: { desk: Desk }) {
  const encoder = desk.sourceKind.value === 'encoder';
  return (
    <main id="main" class="studio setup" tabIndex={-1}>
      <section class="stage">
        <div class="head">
          <h1>{text.title}</h1>
          <span class="badge">{text.notLive}</span>
          <span class="grow" />
          {!encoder && <span class="muted wide-only">{text.onlyYou}</span>}
        </div>
        {encoder ? <EncoderPlaceholder /> : <CameraPreview desk={desk} />}
        <Sources desk={desk} />
        {!encoder && desk.video.value && <Facts track={desk.video.value} />}
      </section>
      <aside class="panel">
        <MatchForm desk={desk} />
        <div class="launch">
          <Checks desk={desk} />
          <Launch desk={desk} />
        </div>
      </aside>
    </main>
  );
}

function CameraPreview({ desk }: { desk: Desk }) {
  const { value: microphone } = desk.microphone;
  const on = desk.microphoneOn.value;
  const label = desk.devices.value.microphones.find((device) => device.id === desk.microphoneId.value)?.label;
  return (
    <Preview desk={desk} label={text.preview}>
      <CaptureState desk={desk} />
      {desk.video.value && microphone.kind === 'open' && (
        <div class="soundbar">
          <IconButton
            icon={on ? microphoneFill : microphoneSlashFill} off={!on} tip="start"
            label={on ? text.muteMicrophone : text.unmuteMicrophone}
            onClick={() => { desk.microphoneOn.value = !on; }}
          />
          <span class="clip small name">{label ?? text.microphone}</span>
          <Meter desk={desk} number />
        </div>
      )}
    </Preview>
  );
}

/** Over an empty preview: what is happening or what to do. */
export function CaptureState({ desk }: { desk: Desk }) {
  const capture = desk.camera.value;
  switch (capture.kind) {
    case 'open':
    case 'closed':
      return null;
    case 'opening':
      return <div class="veil"><span class="progress" /><h3>{text.opening}</h3></div>;
    case 'failed':
      return (
        <div class="veil" role="alert">
          <h3>{text.captureTitle[capture.failure]}</h3>
          <p>{text.captureLine[capture.failure]}</p>
          {canCapture() && (
            <div class="actions">
              {desk.sourceKind.value === 'screen'
                ? <Button look="primary" onClick={() => void desk.shareScreen()}>{text.shareScreen}</Button>
                : <Button look="primary" onClick={() => void desk.retryCapture()}>{words.common.tryAgain}</Button>}
              {desk.sourceKind.value === 'screen' && <Button onClick={() => void desk.chooseSource('camera')}>{text.useCamera}</Button>}
            </div>
          )}
        </div>
      );
  }
}

function EncoderPlaceholder() {
  return (
    <div class="camera-view over idle">
      <div class="veil">
        <Icon svg={plugs} size="l" />
        <h3>{text.encoder.title}</h3>
        <p>{text.encoder.line}</p>
      </div>
    </div>
  );
}

function Sources({ desk }: { desk: Desk }) {
  const tiles: ReadonlyArray<readonly [SourceKind, string, { title: string; line: string }]> = [
    ['camera', videoCamera, text.sources.camera],
    ...(canShareScreen() ? [['screen', monitor, text.sources.screen] as const] : []),
    ['encoder', plugs, text.sources.encoder],
  ];
  return (
    <div class="sources" role="group" aria-label={text.sources.label}>
      {tiles.map(([kind, icon, { title, line }]) => (
        <button key={kind} type="button" aria-pressed={desk.sourceKind.value === kind} onClick={() => void desk.chooseSource(kind)}>
          <Icon svg={icon} />
          <span><b>{title}</b><small>{line}</small></span>
        </button>
      ))}
    </div>
  );
}

function Facts({ track }: { track: MediaStreamTrack }) {
  const { height = 720, frameRate = 30 } = track.getSettings();
  const layers = encodingsFor(height).filter(({ active }) => active);
  const total = layers.reduce((sum, layer) => sum + layer.maxBitrate, 0);
  const lines = layers.map((layer) => Math.round(height / layer.scaleResolutionDownBy)).reverse();
  const [amount, unit] = formatBitrate(total).split(' ');
  return (
    <dl class="figures plain">
      <Fact label={text.facts.picture} line={text.facts.pictureLine}>{text.facts.pictureValue(height, Math.round(frameRate))}</Fact>
      <Fact label={text.facts.layers} line={text.facts.layersLine}>{lines.join(' · ')}</Fact>
      <Fact label={text.facts.upload} line={text.facts.uploadLine}>{amount}<small>{unit}</small></Fact>
      <Fact label={text.facts.encoder} line={text.facts.encoderLine}>{words.stats.codecs[likelyCodec() ?? ''] ?? words.stats.unknown}</Fact>
    </dl>
  );
}

function Fact({ label, line, children }: { label: string; line: string; children: ComponentChildren }) {
  return (
    <div>
      <dt class="small muted">{label}</dt>
      <dd class="value num">{children}</dd>
      <dd class="small muted">{line}</dd>
    </div>
  );
}

function MatchForm({ desk }: { desk: Desk }) {
  const form = desk.form.value;
  const { cameras, microphones } = desk.devices.value;
  const source = desk.sourceKind.value;
  const change = (changes: Partial<typeof form>): void => { desk.form.value = { ...form, ...changes }; };
  return (
    <div class="form">
      <h2>{text.about}</h2>
      <Field label={text.titleLabel} value={form.title} maxLength={120} placeholder={text.titlePlaceholder} onValue={(title) => change({ title })} />
      <div class="pair">
        <Select
          label={text.who} value={form.visibility}
          options={[{ value: 'public', label: text.everyone }, { value: 'unlisted', label: text.withLink }]}
          onValue={(value) => change({ visibility: value === 'unlisted' ? 'unlisted' : 'public' })}
        />
        {source === 'camera' && (
          <Select
            label={text.pictureSize} value={String(desk.height.value)}
            options={CAMERA_HEIGHTS.map((height) => ({ value: String(height), label: text.lines(height) }))}
            onValue={(value) => void desk.chooseHeight(CAMERA_HEIGHTS.find((height) => String(height) === value) ?? (720 satisfies CameraHeight))}
          />
        )}
      </div>
      {source !== 'encoder' && (
        <div class="pair">
          {source === 'camera' && cameras.length > 0 && (
            <Select label={text.camera} value={desk.cameraId.value ?? ''} options={deviceOptions(cameras)} onValue={(id) => void desk.chooseCamera(id || null)} />
          )}
          {microphones.length > 0 && (
            <Select label={text.microphone} value={desk.microphoneId.value ?? ''} options={deviceOptions(microphones)} onValue={(id) => void desk.chooseMicrophone(id || null)} />
          )}
        </div>
      )}
      <Switch checked={form.withTeams} onChecked={(withTeams) => change({ withTeams })}>
        <b class="strong">{text.teams}</b>
        <small>{text.teamsLine}</small>
      </Switch>
      {form.withTeams && <TeamFields teams={form.teams} onTeams={(teams) => change({ teams })} />}
    </div>
  );
}

const deviceOptions = (devices: ReadonlyArray<{ id: string; label: string }>) => devices.map(({ id, label }) => ({ value: id, label }));

type Check = { kind: 'good' | 'warn' | 'busy'; title: string; line?: string };

function Checks({ desk }: { desk: Desk }) {
  const silent = useSilence(desk);
  const battery = useBattery();
  const checks: Check[] = [
    ...(desk.sourceKind.value === 'encoder' ? [] : captureChecks(desk.camera.value, desk.microphone.value, desk.sourceKind.value, silent)),
    serverCheck(desk),
    ...(battery && desk.sourceKind.value !== 'encoder' ? [{ kind: 'warn', title: text.checks.battery, line: text.checks.batteryLine } as const] : []),
  ];
  const icons = { good: checkCircle, warn: warningFill, busy: circleNotch };
  return (
    <ul class="checks" aria-label={text.checks.label}>
      {checks.map((check) => (
        <li key={check.title} class={check.kind}>
          <Icon svg={icons[check.kind]} />
          <div>{check.title}{check.line && <p class="small muted">{check.line}</p>}</div>
        </li>
      ))}
    </ul>
  );
}

function captureChecks(camera: Capture, microphone: Capture, source: SourceKind, silent: boolean): Check[] {
  if (camera.kind === 'failed') return [{ kind: 'warn', title: text.captureTitle[camera.failure], line: text.captureLine[camera.failure] }];
  if (camera.kind !== 'open') return [{ kind: 'busy', title: text.checks.opening }];
  if (microphone.kind === 'failed') {
    return [{ kind: 'good', title: text.checks.cameraOnly }, { kind: 'warn', title: text.microphoneTitle[microphone.failure], line: text.checks.cameraOnlyLine }];
  }
  const ready: Check = { kind: 'good', title: source === 'screen' ? text.checks.screenReady : text.checks.ready };
  return silent ? [ready, { kind: 'warn', title: text.checks.silent, line: text.checks.silentLine }] : [ready];
}

function serverCheck(desk: Desk): Check {
  switch (desk.welcome.value.kind) {
    case 'asking': return { kind: 'busy', title: text.checks.serverAsking };
    case 'unreachable': return { kind: 'warn', title: text.checks.serverGone, line: text.checks.serverGoneLine };
    case 'allowed': return { kind: 'good', title: text.checks.server };
    case 'not_allowed': return { kind: 'warn', title: text.checks.notAllowed, line: text.checks.notAllowedLine };
    case 'invitation_over': return { kind: 'warn', title: text.checks.invitationOver, line: text.checks.invitationOverLine };
  }
}

/** Nothing but silence for three seconds in a row. */
function useSilence(desk: Desk): boolean {
  const [silent, setSilent] = useState(false);
  useScope((until) => {
    let quiet = 0;
    const timer = setInterval(() => {
      const listening = desk.microphone.value.kind === 'open' && desk.microphoneOn.value;
      quiet = listening && desk.level().peakDb <= METER_FLOOR_DB ? quiet + 1 : 0;
      setSilent(quiet >= 12);
    }, 250);
    until.addEventListener('abort', () => clearInterval(timer));
  }, [desk]);
  return silent;
}

type Battery = EventTarget & { charging: boolean };

/** Whether a laptop runs on its battery; browsers that do not tell say no. */
function useBattery(): boolean {
  const [discharging, setDischarging] = useState(false);
  useScope((until) => {
    const { getBattery } = navigator as Navigator & { getBattery?: () => Promise<Battery> };
    getBattery?.call(navigator).then((battery) => {
      if (until.aborted) return;
      const look = (): void => setDischarging(!battery.charging);
      look();
      battery.addEventListener('chargingchange', look, { signal: until });
    }, () => undefined);
  }, []);
  return discharging;
}

function Launch({ desk }: { desk: Desk }) {
  const encoder = desk.sourceKind.value === 'encoder';
  const ready = encoder || desk.video.value !== null;
  const allowed = desk.welcome.value.kind !== 'not_allowed' && desk.welcome.value.kind !== 'invitation_over';
  const problem = desk.problem.value;
  const id = useId();
  return (
    <div class="launch-button">
      {problem && <p class="help error" role="alert">{problemWords(problem)}</p>}
      <Button look="go" size="lg" wide busy={desk.goingLive.value} disabled={!ready || !allowed} onClick={() => void desk.goLive()}>
        {encoder ? text.makeLink : text.goLive}
      </Button>
      <p id={id} class="small muted note">{encoder ? text.makeLinkLine : text.goLiveLine}</p>
    </div>
  );
}

function problemWords(error: RequestError): string {
  switch (error.code) {
    case 'conflict':
    case 'publisher_present':
      return text.problems.conflict;
    case 'forbidden':
    case 'invalid_token':
    case 'token_expired':
      return text.problems.refused;
    case 'full':
    case 'rate_limited':
    case 'shutting_down':
    case 'unavailable':
      return text.problems.full;
    case 'disconnected':
    case 'timeout':
      return text.problems.network;
    case 'invalid_value':
    case 'too_large':
    case 'malformed_message':
      return text.problems.invalid(error.message);
    default:
      return text.problems.other;
  }
}
