// A message and who said it: their card, and what can be done. What only moderators may do is shown to moderators.
import { useState } from 'preact/hooks';
import type { ChatMessage } from '../protocol';
import { Ask } from '../ui/Ask';
import { formatLength } from '../ui/format';
import { arrowBendUpLeft, at, clockCountdown, flag, pencil, prohibit, pushPin, pushPinSlash, trash, userCheck } from '../ui/icons';
import { Menu, MenuItem, MenuRule } from '../ui/Menu';
import { showToast } from '../ui/Toast';
import { words } from '../words';
import { act } from './act';
import { mayEdit } from './Composer';
import { RoleMark, type Wish } from './LineView';
import { ReportDialog } from './ReportDialog';
import type { ChatRoom } from './room';

const say = words.chat;
/** Time-outs that are offered, seconds. */
const TIME_OUTS_S = [60, 600, 3_600, 86_400] as const;

export type MessageMenuProps = {
  room: ChatRoom;
  wish: Wish;
  onReply: (message: ChatMessage) => void;
  onMention: (message: ChatMessage) => void;
  onEdit: (message: ChatMessage) => void;
  onClose: () => void;
};

export function MessageMenu({ room, wish, onReply, onMention, onEdit, onClose }: MessageMenuProps) {
  const [banning, setBanning] = useState(false);
  const [reporting, setReporting] = useState(false);
  const { message, removed } = wish;
  const { author } = message;
  const me = room.user.value?.id ?? null;
  const isMine = author.id === me;
  const moderates = room.isModerator();
  // Moderators act on viewers, the broadcaster on everybody.
  const mayAct = moderates && !isMine && (author.role === 'viewer' || (room.role.value === 'broadcaster' && author.role !== 'broadcaster'));
  const writes = room.role.value !== null && room.phase.value.kind === 'open';
  const isPinned = room.pinned.value?.id === message.id;
  const said = room.lines.value.filter((line) => line.kind === 'message' && !line.removed && line.message.author.id === author.id).length;
  const about = [isMine ? say.you : null, say.roles[author.role] || null, author.guest ? say.guest : null, say.said(said)].filter((fact) => fact !== null);
  const then = (act: () => void) => () => { onClose(); act(); };

  if (banning) {
    return <Ask title={say.banTitle(author.name)} line={say.banLine} action={say.ban} icon={prohibit} run={() => restrain(room, message, null)} onClose={onClose} />;
  }
  if (reporting) return <ReportDialog room={room} message={message} onClose={onClose} />;
  return (
    <Menu label={author.name} class="person" onClose={onClose}>
      <div class="about" role="presentation"><RoleMark role={author.role} />{about.join(' · ')}</div>
      {writes && !removed && <MenuItem icon={arrowBendUpLeft} onSelect={then(() => onReply(message))}>{say.reply}</MenuItem>}
      {writes && !isMine && <MenuItem icon={at} onSelect={then(() => onMention(message))}>{say.mention}</MenuItem>}
      {writes && isMine && !removed && mayEdit(message, Date.now()) && <MenuItem icon={pencil} onSelect={then(() => onEdit(message))}>{say.edit}</MenuItem>}
      {writes && moderates && !removed && (
        <MenuItem icon={isPinned ? pushPinSlash : pushPin} onSelect={then(() => act(room, { change: 'pin', ...(isPinned ? {} : { message: message.id }) }))}>
          {isPinned ? say.unpin : say.pin}
        </MenuItem>
      )}
      {writes && (isMine || mayAct) && !removed && <MenuItem icon={trash} onSelect={then(() => act(room, { change: 'delete', message: message.id }))}>{say.remove}</MenuItem>}
      {writes && !isMine && !moderates && !removed && <MenuItem icon={flag} onSelect={() => setReporting(true)}>{say.report}</MenuItem>}
      {writes && mayAct && (
        <>
          <MenuRule />
          {TIME_OUTS_S.map((seconds) => (
            <MenuItem key={seconds} icon={clockCountdown} onSelect={then(() => restrain(room, message, seconds))}>{say.timeOut(lengthOf(seconds))}</MenuItem>
          ))}
          <MenuItem icon={prohibit} onSelect={() => setBanning(true)}>{say.ban}</MenuItem>
          <MenuItem icon={userCheck} onSelect={then(() => lift(room, message))}>{say.lift}</MenuItem>
        </>
      )}
    </Menu>
  );
}

/** `seconds` of silence; `null`: for good. */
function restrain(room: ChatRoom, { author }: ChatMessage, seconds: number | null): void {
  act(room, { change: 'restrain', user: author.id, restraint: seconds === null ? { action: 'ban' } : { action: 'time_out', seconds } }, () => {
    showToast({ title: say.restrained(author.name, seconds === null ? null : lengthOf(seconds)), action: { label: say.undo, run: () => lift(room, { author }) } });
  });
}

function lift(room: ChatRoom, { author }: Pick<ChatMessage, 'author'>): void {
  act(room, { change: 'restrain', user: author.id, restraint: { action: 'lift' } }, () => showToast({ title: say.lifted(author.name) }));
}

function lengthOf(seconds: number): string {
  return formatLength(seconds * 1000);
}
