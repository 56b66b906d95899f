// Puts a message before the moderators.
import { useState } from 'preact/hooks';
import { asRequestError } from '../lib/errors';
import type { ChatMessage, ReportReason } from '../protocol';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { Field, Select } from '../ui/Field';
import { showToast } from '../ui/Toast';
import { words } from '../words';
import type { ChatRoom } from './room';

const say = words.chat;
const REASONS: readonly ReportReason[] = ['abuse', 'spam', 'spoiler', 'other'];
/** The server's limit. */
const NOTE_MAX = 200;

export function ReportDialog({ room, message, onClose }: { room: ChatRoom; message: ChatMessage; onClose: () => void }) {
  const [reason, setReason] = useState<ReportReason>('abuse');
  const [note, setNote] = useState('');
  const [busy, setBusy] = useState(false);
  const send = (): void => {
    setBusy(true);
    room.report(message.id, reason, note.trim()).then(
      () => { showToast({ title: say.reported, line: say.reportedLine }); onClose(); },
      (thrown: unknown) => {
        const error = asRequestError(thrown);
        showToast({ kind: 'trouble', title: say.notDone, line: say.refusal(error.code, room.modes.peek(), error.message) });
        setBusy(false);
      },
    );
  };
  return (
    <Dialog
      title={say.reportTitle(message.author.name)}
      onClose={onClose}
      actions={<><Button look="ghost" onClick={onClose}>{words.common.cancel}</Button><Button look="primary" busy={busy} onClick={send}>{say.report}</Button></>}
    >
      <div class="modes">
        <Select
          label={say.reportReason}
          value={reason}
          options={REASONS.map((value) => ({ value, label: say.desk.reasons[value] }))}
          onValue={(value) => setReason(REASONS.find((each) => each === value) ?? 'other')}
        />
        <Field label={say.reportNote} value={note} maxLength={NOTE_MAX} onValue={setNote} />
      </div>
    </Dialog>
  );
}
