// The door over whatever somebody is doing: the match plays on behind it. Closes by itself once somebody is in, in whichever tab.
import './account.css';
import { useEffect, useState } from 'preact/hooks';
import { theBearer } from '../lib/bearer';
import { Dialog } from '../ui/Dialog';
import { accountWords } from '../account_words';
import { type Door, closeDoor, door } from './door';
import { DoorForms, doorHead } from './DoorForms';

export function DoorDialog({ open }: { open: Door }) {
  const { kind } = theBearer().who.value;
  useEffect(() => { if (kind === 'account') closeDoor(); }, [kind]);
  const [sentTo, setSentTo] = useState<string | null>(null);
  const { title, line } = doorHead(open.side, sentTo, open.why);
  const say = accountWords.door;
  return (
    <Dialog title={title} onClose={closeDoor}>
      <div class="door">
        <p class="muted lead" role="status">{line}</p>
        <DoorForms side={open.side} onSide={(side) => { door.value = { ...open, side }; }} sentTo={sentTo} onSent={setSentTo} />
        {open.side !== 'forgot' && (
          <p class="muted small aside">{say.justWatching} <button class="link" type="button" onClick={closeDoor}>{say.keepWatching}</button></p>
        )}
      </div>
    </Dialog>
  );
}
