// Which square of the chosen picture is shown: dragged with a finger, a mouse or the arrow keys, enlarged with the slider.
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { asRequestError } from '../lib/errors';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { Icon } from '../ui/Icon';
import { magnifyPlus, warningCircleFill } from '../ui/icons';
import { accountWords } from '../account_words';
import { words } from '../words';
import { putPicture } from './account_api';
import { type Crop, ZOOM_MAX, moved, wholeCrop, zoomed } from './crop';
import { PictureError, drawCrop, encodeCrop } from './picture_file';
import { explain } from './rules';

/** Of the drawn frame, device pixels: twice what it measures on the page. */
const DRAWN_SIDE = 560;
const KEY_STEP = 0.05;

export type PictureDialogProps = { picture: ImageBitmap; onSaved: (version: number) => void; onClose: () => void };

export function PictureDialog({ picture, onSaved, onClose }: PictureDialogProps) {
  const say = accountWords.profile;
  const canvas = useRef<HTMLCanvasElement>(null);
  const dragged = useRef<{ x: number; y: number } | null>(null);
  const [crop, setCrop] = useState<Crop>(() => wholeCrop(picture));
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const zoomId = useId();
  useEffect(() => { if (canvas.current) drawCrop(canvas.current, picture, crop, DRAWN_SIDE); }, [picture, crop]);

  const move = (right: number, down: number): void => setCrop((before) => moved(picture, before, right, down));
  const arrows = (event: KeyboardEvent): void => {
    const steps: Record<string, readonly [number, number]> = { ArrowLeft: [-KEY_STEP, 0], ArrowRight: [KEY_STEP, 0], ArrowUp: [0, -KEY_STEP], ArrowDown: [0, KEY_STEP] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    move(...step);
  };
  const save = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      onSaved(await putPicture(await encodeCrop(picture, crop)));
    } catch (thrown) {
      setProblem(thrown instanceof PictureError ? say.unreadable : explain(asRequestError(thrown), [])['form'] ?? accountWords.problems.other);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={say.cropTitle}
      onClose={onClose}
      actions={(
        <>
          <Button onClick={onClose}>{words.common.cancel}</Button>
          <Button look="primary" busy={busy} onClick={() => void save()}>{say.use}</Button>
        </>
      )}
    >
      <p class="muted lead">{say.cropLine}</p>
      <div
        class="crop" role="group" aria-label={say.frame} tabIndex={0} autofocus onKeyDown={arrows}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          dragged.current = { x: event.clientX, y: event.clientY };
        }}
        onPointerMove={(event) => {
          const from = dragged.current;
          if (!from) return;
          const side = event.currentTarget.clientWidth;
          move((event.clientX - from.x) / side, (event.clientY - from.y) / side);
          dragged.current = { x: event.clientX, y: event.clientY };
        }}
        onPointerUp={() => { dragged.current = null; }}
        onPointerCancel={() => { dragged.current = null; }}
        onWheel={(event) => {
          event.preventDefault();
          setCrop((before) => zoomed(picture, before, before.zoom * (event.deltaY < 0 ? 1.1 : 1 / 1.1)));
        }}
      >
        <canvas ref={canvas} />
      </div>
      <label class="zoom" for={zoomId}>
        <Icon svg={magnifyPlus} />
        <span class="sr">{say.zoom}</span>
        <input
          id={zoomId} class="range" type="range" min="1" max={ZOOM_MAX} step="0.01" value={crop.zoom}
          onInput={(event) => { const zoom = Number(event.currentTarget.value); setCrop((before) => zoomed(picture, before, zoom)); }}
        />
      </label>
      <div role="alert">{problem && <p class="help error"><Icon svg={warningCircleFill} size="s" />{problem}</p>}</div>
    </Dialog>
  );
}
