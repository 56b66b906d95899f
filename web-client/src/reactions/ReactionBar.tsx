// Six reactions to tap or hold. Where motion is not wanted the buttons count instead of sending pictures up.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ChatRoom } from '../chat/room';
import type { ReactionKind } from '../protocol';
import { formatCount } from '../ui/format';
import { useMedia } from '../ui/hooks';
import { words } from '../words';
import { ART, OFFERED } from './kinds';

const say = words.chat;
/** Holding repeats four times a second. */
const REPEAT_MS = 250;

export function ReactionBar({ room }: { room: ChatRoom }) {
  const still = useMedia('(prefers-reduced-motion: reduce)');
  const held = useRef<ReturnType<typeof setInterval> | undefined>(undefined);
  const release = (): void => clearInterval(held.current);
  useEffect(() => release, []);
  // Drawn again whenever something was sent up.
  void room.burst.value;

  const hold = (kind: ReactionKind) => (event: PointerEvent): void => {
    if (event.button !== 0) return;
    release();
    room.react(kind);
    held.current = setInterval(() => room.react(kind), REPEAT_MS);
  };
  return (
    <div class="reactions" role="group" aria-label={say.reactions}>
      {OFFERED.map((kind) => (
        <button
          key={kind}
          type="button"
          aria-label={say.react[kind]}
          onPointerDown={hold(kind)}
          onPointerUp={release}
          onPointerLeave={release}
          onPointerCancel={release}
          // From the keyboard and from assistive technology; a finger has done its work by then.
          onClick={(event) => { if (event.detail === 0) room.react(kind); }}
          onContextMenu={(event) => event.preventDefault()}
        >
          <Art kind={kind} />
          {still && <small class="num">{formatCount(room.total(kind))}</small>}
        </button>
      ))}
    </div>
  );
}

function Art({ kind }: { kind: ReactionKind }) {
  const [pressed, setPressed] = useState(0);
  return <img key={pressed} src={ART[kind]} alt="" width={24} height={24} draggable={false} onPointerDown={() => setPressed((count) => count + 1)} />;
}
