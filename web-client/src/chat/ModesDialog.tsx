// For moderators: who may write, and how fast.
import { useState } from 'preact/hooks';
import type { Audience } from '../protocol';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { Select, Switch } from '../ui/Field';
import { words } from '../words';
import { act } from './act';
import type { ChatRoom } from './room';

const say = words.chat;
/** Offered, seconds between two messages of one person. The server takes up to 120. */
const SLOW_S = [0, 3, 5, 10, 30, 60, 120] as const;
const AUDIENCES: readonly Audience[] = ['everyone', 'accounts', 'followers', 'friends'];

export function ModesDialog({ room, onClose }: { room: ChatRoom; onClose: () => void }) {
  const [modes, setModes] = useState(room.modes.value);
  const slow = SLOW_S.some((seconds) => seconds === modes.slow_s) ? SLOW_S : [...SLOW_S, modes.slow_s].sort((a, b) => a - b);
  const save = (): void => {
    act(room, { change: 'modes', modes });
    onClose();
  };
  return (
    <Dialog
      title={say.manage}
      onClose={onClose}
      actions={<><Button look="ghost" onClick={onClose}>{words.common.cancel}</Button><Button look="primary" onClick={save}>{say.save}</Button></>}
    >
      <div class="modes">
        <Select
          label={say.audience}
          value={modes.audience}
          options={AUDIENCES.map((audience) => ({ value: audience, label: say.audiences[audience] }))}
          onValue={(value) => setModes({ ...modes, audience: AUDIENCES.find((audience) => audience === value) ?? 'everyone' })}
        />
        <Select
          label={say.slow}
          value={String(modes.slow_s)}
          options={slow.map((seconds) => ({ value: String(seconds), label: seconds === 0 ? say.slowOff : say.slowEvery(seconds) }))}
          onValue={(value) => setModes({ ...modes, slow_s: Number(value) })}
        />
        <Switch checked={modes.emote_only} onChecked={(on) => setModes({ ...modes, emote_only: on })}>{say.emoteOnly}</Switch>
        <Switch checked={modes.review} onChecked={(on) => setModes({ ...modes, review: on })}>{say.review}</Switch>
      </div>
    </Dialog>
  );
}
