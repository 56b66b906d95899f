// Below the score, where there is room: who watches together, how near to each other, and a link for one more.
import { useState } from 'preact/hooks';
import { theFriends } from '../friends/of_me';
import { Avatar } from '../ui/Avatar';
import { Button } from '../ui/Button';
import { linkSimple } from '../ui/icons';
import { callWords } from '../call_words';
import { copyCallLink } from './copy_link';
import { inOrder } from './Faces';
import type { Party } from './party';

/** So many faces; of the others the number says enough. */
const FACES_SHOWN = 5;

export function Together({ party }: { party: Party }) {
  const { call } = party;
  const say = callWords.together;
  const [busy, setBusy] = useState(false);
  const view = call.view.value;
  if (!view || !call.isOn.value) return null;
  const members = inOrder(view.members, call.me.value?.id ?? null, null);
  const apart = members.filter((member) => !member.in_step).length;
  const copy = async (): Promise<void> => {
    setBusy(true);
    // Where it could not be copied, it is on screen in the dialog.
    if (await copyCallLink(call) === null) party.dialog.value = 'invite';
    setBusy(false);
  };
  return (
    <section class="together-strip" aria-label={say.label}>
      <span class="together-faces">
        {members.slice(0, FACES_SHOWN).map(({ id, user, name }) => (
          <Avatar key={id} person={{ id: user, name, picture_version: theFriends().value?.person(user)?.picture_version ?? 0 }} size={30} />
        ))}
      </span>
      <p class="grow"><b>{say.title}</b> <span>{say.people(members.length, apart)}</span></p>
      <Button size="sm" look="secondary" icon={linkSimple} busy={busy} onClick={() => void copy()}>{say.copy}</Button>
    </section>
  );
}
