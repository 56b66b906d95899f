// More friends: ring those who are here, or send a link that lets in whoever has it.
import { useState } from 'preact/hooks';
import { sayFailed } from '../account/say_failed';
import { theBearer } from '../lib/bearer';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { linkSimple, phone } from '../ui/icons';
import { showToast } from '../ui/Toast';
import { callWords } from '../call_words';
import { copyCallLink } from './copy_link';
import { FriendPicker } from './FriendPicker';
import type { Party } from './party';

export function InviteDialog({ party, onClose }: { party: Party; onClose: () => void }) {
  const say = callWords.invite;
  const { call } = party;
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [busy, setBusy] = useState<'ring' | 'link' | null>(null);
  const [link, setLink] = useState<string | null>(null);
  const view = call.view.value;
  const without = new Set([...(view?.members ?? []), ...(view?.ringing ?? [])].map(({ user }) => user));

  const ring = async (): Promise<void> => {
    setBusy('ring');
    try {
      await call.ring([...chosen]);
      showToast({ title: say.rung });
      onClose();
    } catch (thrown) {
      sayFailed(thrown);
      setBusy(null);
    }
  };
  const copy = async (): Promise<void> => {
    setBusy('link');
    setLink(await copyCallLink(call));
    setBusy(null);
  };
  return (
    <Dialog
      title={say.title} onClose={onClose}
      actions={<Button look="join" icon={phone} busy={busy === 'ring'} disabled={chosen.size === 0} onClick={() => void ring()}>{say.ring(chosen.size)}</Button>}
    >
      {theBearer().who.value.kind === 'account' && <FriendPicker chosen={chosen} without={without} onChosen={setChosen} />}
      <p class="invite-link">
        <span class="muted grow">{say.link}</span>
        <Button size="sm" icon={linkSimple} busy={busy === 'link'} onClick={() => void copy()}>{say.copy}</Button>
      </p>
      {link !== null && <input class="input" readOnly value={link} aria-label={say.label} onFocus={(event) => event.currentTarget.select()} />}
    </Dialog>
  );
}
