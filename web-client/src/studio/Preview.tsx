// What the broadcaster sees of themselves, with the controls that lie on it.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Icon } from '../ui/Icon';
import { monitor, videoCameraFill, videoSlash } from '../ui/icons';
import { words } from '../words';
import type { Desk } from './desk';

const text = words.studio;

export function Preview({ desk, label, children }: { desk: Desk; label: string; children?: ComponentChildren }) {
  const video = useRef<HTMLVideoElement>(null);
  const stream = desk.preview.value;
  useEffect(() => {
    const element = video.current;
    if (!element || element.srcObject === stream) return;
    element.srcObject = stream;
    // Muted, so no browser refuses; an abort means that the next stream is already there.
    if (stream) element.play().catch(() => undefined);
  }, [stream]);
  return (
    <div class="camera-view over">
      <video ref={video} muted playsInline autoplay aria-label={label} />
      {stream && !desk.pictureOn.value && (
        <div class="veil"><Icon svg={videoSlash} size="l" /><p>{text.hiddenPicture}</p></div>
      )}
      {stream && <SourceChip desk={desk} />}
      {children}
    </div>
  );
}

function SourceChip({ desk }: { desk: Desk }) {
  const track = desk.video.value;
  if (!track) return null;
  const { height, frameRate } = track.getSettings();
  const size = height ? `· ${text.facts.pictureValue(height, Math.round(frameRate ?? 30))}` : '';
  const screen = desk.sourceKind.value === 'screen';
  return (
    <span class="chip">
      <Icon svg={screen ? monitor : videoCameraFill} size="s" />
      <span class="clip">{screen ? text.sources.screen.title : track.label || text.camera}</span>{size && <span>{size}</span>}
    </span>
  );
}
