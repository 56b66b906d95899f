// Where an encoder of the OBS kind sends its stream, in place of a preview.
import type { OwnBroadcast } from '../lib/own_broadcast';
import { words } from '../words';
import { CopyField } from './ShareLink';

const text = words.studio.encoder;

export function EncoderPanel({ own, live }: { own: OwnBroadcast; live: boolean }) {
  return (
    <div class="encoder-panel">
      {!live && <><h2>{text.title}</h2><p class="muted">{text.line}</p></>}
      <CopyField label={text.server} value={new URL(own.whipUrl, location.href).href} />
      <CopyField label={text.key} value={own.token} secret help={text.keyLine} />
    </div>
  );
}
