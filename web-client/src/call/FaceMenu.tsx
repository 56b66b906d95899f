// What can be done about one member: how loud they are here, whether they stay in view, a reaction over their face; the host mutes and removes.
import { useState } from 'preact/hooks';
import type { CallMember } from '../protocol';
import { ART, OFFERED } from '../reactions/kinds';
import { Ask } from '../ui/Ask';
import { caretLeft, microphoneSlashFill, pushPin, pushPinSlash, speakerHigh, speakerSlash, trash } from '../ui/icons';
import { Menu, MenuItem, MenuRule } from '../ui/Menu';
import { words } from '../words';
import { callWords } from '../call_words';
import type { Party } from './party';

/** Shares of a voice's own loudness. */
const VOLUMES = [1, 0.75, 0.5, 0.25, 0.1, 0] as const;

export type FaceMenuProps = { party: Party; member: CallMember; isMe: boolean; onClose: () => void };

export function FaceMenu({ party, member, isMe, onClose }: FaceMenuProps) {
  const say = callWords.face;
  const { call } = party;
  const [page, setPage] = useState<'all' | 'volume' | 'removing'>('all');
  const pinned = call.pinned.value === member.id;
  const volume = call.volumeOf(member.user);
  const act = (what: Promise<unknown>): void => {
    party.try(what);
    onClose();
  };
  if (page === 'removing') {
    return (
      <Ask
        title={say.removeTitle(member.name)} line={say.removeLine} action={say.remove} icon={trash}
        run={async () => party.try(call.remove(member.id))} onClose={onClose}
      />
    );
  }
  if (page === 'volume') {
    return (
      <Menu label={say.volumeOf(member.name)} dark class="face-menu" onClose={onClose}>
        {VOLUMES.map((one) => (
          <MenuItem key={one} checked={one === volume} onSelect={() => { call.setVolume(member.user, one); onClose(); }}>{one === 0 ? say.silent : say.percent(one)}</MenuItem>
        ))}
        <MenuRule />
        <MenuItem icon={caretLeft} onSelect={() => setPage('all')}>{say.back(member.name)}</MenuItem>
      </Menu>
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
          <MenuItem icon={volume === 0 ? speakerSlash : speakerHigh} detail={say.percent(volume)} onSelect={() => setPage('volume')}>{say.volume}</MenuItem>
          <MenuItem toggled={pinned} icon={pinned ? pushPinSlash : pushPin} onSelect={() => act(call.pin(pinned ? null : member.id))}>{pinned ? say.unpin : say.pin}</MenuItem>
        </>
      )}
      {!isMe && call.isHost && (
        <>
          <MenuRule />
          {member.microphone && !member.silenced && <MenuItem icon={microphoneSlashFill} onSelect={() => act(call.mute(member.id))}>{say.mute}</MenuItem>}
          <MenuItem icon={trash} onSelect={() => setPage('removing')}>{say.remove}</MenuItem>
        </>
      )}
    </Menu>
  );
}
