// All faces in their order: who is kept in view, then as they came, oneself last; behind them whom it still rings at.
import type { CallMember } from '../protocol';
import { Avatar } from '../ui/Avatar';
import { callWords } from '../call_words';
import { Face } from './Face';
import type { Party } from './party';

/** From here on they are smaller. */
const MANY = 6;

export function Faces({ party, lines = null, class: extra = '' }: { party: Party; lines?: number | null; class?: string }) {
  const { call } = party;
  const view = call.view.value;
  if (!view) return null;
  const members = inOrder(view.members, call.me.value?.id ?? null, call.pinned.value);
  return (
    <div class={`face-list ${members.length > MANY ? 'many' : ''} ${extra}`} role="group" aria-label={callWords.title}>
      {members.map((member) => <Face key={member.id} party={party} member={member} lines={lines} />)}
      {view.ringing.map(({ user, name }) => (
        <div key={user} class="face-tile ringing">
          <Avatar person={{ id: user, name, picture_version: 0 }} size={44} />
          <span class="face-name"><bdi class="clip">{callWords.face.ringing(name)}</bdi></span>
        </div>
      ))}
    </div>
  );
}

export function inOrder(members: readonly CallMember[], me: number | null, pinned: number | null): CallMember[] {
  const rank = ({ id }: CallMember): number => (id === pinned ? 0 : id === me ? 2 : 1);
  return [...members].sort((a, b) => rank(a) - rank(b));
}
