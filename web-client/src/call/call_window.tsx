// Faces and the match in a window that stays above others (Document Picture-in-Picture), where a browser offers one. Voices stay with the page.
import { render } from 'preact';
import { useRef } from 'preact/hooks';
import { callWords } from '../call_words';
import { CallDock } from './CallDock';
import { Faces } from './Faces';
import type { Party } from './party';
import { useStream } from './use_stream';

type PictureWindows = { requestWindow: (options: { width: number; height: number }) => Promise<Window> };
type CapturedVideo = HTMLVideoElement & { captureStream?: () => MediaStream };

const SIZE = { width: 440, height: 420 };
/** The page behind may be hidden, and then it cannot tell how large anything is drawn: lines asked for. */
const FACE_LINES = 180;
const MATCH_LINES = 360;

const windows = (): PictureWindows | undefined => (globalThis as { documentPictureInPicture?: PictureWindows }).documentPictureInPicture;

export const canOpenWindow = (): boolean => windows() !== undefined;

/** Needs a press. */
export async function openCallWindow(party: Party): Promise<void> {
  const before = party.faces.peek();
  // Refused without a press, or by a policy of the page around: the faces stay where they are.
  const opened = await windows()?.requestWindow(SIZE).catch(() => null);
  if (!opened) return;
  wear(opened.document);
  const root = opened.document.createElement('main');
  root.className = 'call-window';
  opened.document.body.append(root);
  party.place('window');
  party.session.drawnElsewhere(MATCH_LINES);
  render(<CallWindow party={party} />, root);
  const stop = party.call.isOn.subscribe((isOn) => { if (!isOn) opened.close(); });
  opened.addEventListener('pagehide', () => {
    stop();
    render(null, root);
    party.session.drawnElsewhere(0);
    if (party.faces.peek() === 'window') party.place(before === 'window' ? 'top' : before);
  }, { once: true });
}

/** The page's own looks. */
function wear(target: Document): void {
  Object.assign(target.documentElement.dataset, document.documentElement.dataset);
  target.documentElement.lang = document.documentElement.lang;
  target.title = callWords.title;
  for (const sheet of document.querySelectorAll('link[rel="stylesheet"], style')) target.head.append(sheet.cloneNode(true));
}

function CallWindow({ party }: { party: Party }) {
  const match = useRef<HTMLVideoElement>(null);
  const onHls = party.session.carrier.value.shown === 'hls';
  const shown = party.playback.video as CapturedVideo | null;
  useStream(match, onHls ? (shown?.captureStream?.() ?? null) : party.session.viewer.stream);
  return (
    <>
      <video ref={match} class="match" muted playsInline autoplay />
      <Faces party={party} lines={FACE_LINES} />
      <CallDock party={party} small />
    </>
  );
}
