// What can be done about one member: how loud they are here, whether they stay in view, a reaction over their face; the host mutes and removes.
import { useState } from 'preact/hooks';
import type { CallMember } from '../protocol';
import { ART, OFFERED } from '../reactions/kinds';
import { Ask } from '../ui/Ask';
import { microphoneSlashFill, pushPin, pushPinSlash, speakerHigh, trash } from '../ui/icons';
import { Icon } from '../ui/Icon';
import { Menu, MenuItem, MenuRule } from '../ui/Menu';
import { words } from '../words';
import { callWords } from '../call_words';
import type { Party } from './party';

export type FaceMenuProps = { party: Party; member: CallMember; isMe: boolean; onClose: () => void };

export function FaceMenu({ party, member, isMe, onClose }: FaceMenuProps) {
  const say = callWords.face;
  const { call } = party;
  const [removing, setRemoving] = useState(false);
  const pinned = call.pinned.value === member.id;
  const volume = call.volumeOf(member.user);
  const act = (what: Promise<unknown>): void => {
    party.try(what);
    onClose();
  };
  if (removing) {
    return (
      <Ask
        title={say.removeTitle(member.name)} line={say.removeLine} action={say.remove} icon={trash}
        run={async () => party.try(call.remove(member.id))} onClose={onClose}
      />
    );
  }
  return (
    <Menu label={isMe ? callWords.you : member.name} dark class="face-menu" onClose={onClose}>
      <div class="face-reacts" role="group" aria-label={words.chat.reactions}>
        {OFFERED.map((kind) => (
          <button key={kind} type="button" role="menuitem" class="item" tabIndex={-1} aria-label={say.react(words.chat.react[kind], isMe ? callWords.you : member.name)} onClick={() => act(call.react(kind, member.id))}>
            <img src={ART[kind]} alt="" width={24} height={24} />
          </button>
        ))}
      </div>
      {!isMe && (
        <>
          <div class="face-volume" role="group" aria-label={say.volume(member.name)}>
            <Icon svg={speakerHigh} size="s" />
            <input
              class="volume" type="range" min="0" max="100" value={volume * 100} style={{ '--at': `${volume * 100}%` }}
              aria-label={say.volume(member.name)} aria-valuetext={say.percent(volume)}
              onInput={(event) => call.setVolume(member.user, event.currentTarget.valueAsNumber / 100)}
            />
          </div>
          <MenuItem toggled={pinned} icon={pinned ? pushPinSlash : pushPin} onSelect={() => act(call.pin(pinned ? null : member.id))}>{pinned ? say.unpin : say.pin}</MenuItem>
        </>
      )}
      {!isMe && call.isHost && (
        <>
          <MenuRule />
          {member.microphone && !member.silenced && <MenuItem icon={microphoneSlashFill} onSelect={() => act(call.mute(member.id))}>{say.mute}</MenuItem>}
          <MenuItem icon={trash} onSelect={() => setRemoving(true)}>{say.remove}</MenuItem>
        </>
      )}
    </Menu>
  );
}
