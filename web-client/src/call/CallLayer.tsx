// The call over the picture: faces where the person wants them, the dock above the controls, and a word about how it stands.
import { useRef, useState } from 'preact/hooks';
import { callWords } from '../call_words';
import { CallDock } from './CallDock';
import { Faces } from './Faces';
import type { Party } from './party';
import { Standing } from './Standing';

/** By the arrow keys, pixels. */
const KEY_STEP = 24;

export function CallLayer({ party }: { party: Party }) {
  const faces = party.faces.value;
  const isOn = party.call.isOn.value;
  return (
    <>
      {isOn && (faces === 'top' || faces === 'side') && <div class={`layer faces over ${faces === 'top' ? 'over-stands' : 'beside'}`}><Faces party={party} /></div>}
      {isOn && faces === 'floating' && <Floating party={party} />}
      <div class="layer call-bar over">
        {isOn && <CallDock party={party} />}
        <Standing party={party} />
      </div>
    </>
  );
}

/** Moved by its edge with a pointer, or with the arrow keys while that has the focus. It stays inside the picture. */
function Floating({ party }: { party: Party }) {
  const box = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<{ x: number; y: number } | null>(null);
  const held = useRef<{ dx: number; dy: number } | null>(null);
  const move = (x: number, y: number): void => {
    const inside = box.current;
    const around = inside?.parentElement;
    if (!inside || !around) return;
    setAt({
      x: Math.max(0, Math.min(x, around.clientWidth - inside.offsetWidth)),
      y: Math.max(0, Math.min(y, around.clientHeight - inside.offsetHeight)),
    });
  };
  return (
    <div ref={box} class="layer faces over floating" style={at ? { left: `${at.x}px`, top: `${at.y}px`, right: 'auto' } : undefined}>
      <button
        type="button" class="grip" aria-label={callWords.moveHint} title={callWords.moveHint}
        onPointerDown={(event) => {
          const inside = box.current;
          if (!inside) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          held.current = { dx: event.clientX - inside.offsetLeft, dy: event.clientY - inside.offsetTop };
        }}
        onPointerMove={(event) => { if (held.current) move(event.clientX - held.current.dx, event.clientY - held.current.dy); }}
        onPointerUp={() => { held.current = null; }}
        onPointerCancel={() => { held.current = null; }}
        onKeyDown={(event) => {
          const [x, y] = ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] } as Record<string, [number, number]>)[event.key] ?? [0, 0];
          if ((x === 0 && y === 0) || !box.current) return;
          event.preventDefault();
          event.stopPropagation();
          move(box.current.offsetLeft + x * KEY_STEP, box.current.offsetTop + y * KEY_STEP);
        }}
      />
      <Faces party={party} />
    </div>
  );
}
