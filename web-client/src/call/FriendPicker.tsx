// Friends who are here now, to be ticked. Those who are not cannot be rung.
import { dotOf, presenceLine } from '../friends/PersonRow';
import { theFriends } from '../friends/of_me';
import { useLooking } from '../friends/use_looking';
import { CALL_RING_MAX } from '../protocol';
import { Avatar } from '../ui/Avatar';
import { callWords } from '../call_words';
import { friendsWords } from '../friends_words';
import { words } from '../words';

export type FriendPickerProps = {
  chosen: ReadonlySet<string>;
  /** Who is in the call already. */
  without?: ReadonlySet<string>;
  onChosen: (chosen: ReadonlySet<string>) => void;
};

export function FriendPicker({ chosen, without, onChosen }: FriendPickerProps) {
  const say = callWords.before;
  const friends = theFriends().value;
  useLooking(friends);
  if (!friends || friends.loading.value === 'asking') return <p class="muted small" role="status">{say.asking}</p>;
  if (friends.loading.value === 'failed') {
    return <p class="muted small" role="alert">{friendsWords.loadFailed}. <button type="button" class="link" onClick={() => friends.again()}>{words.common.tryAgain}</button></p>;
  }
  const here = friends.circle.value.friends.filter(({ person, presence }) => presence.online && !without?.has(person.id));
  if (here.length === 0) return <p class="muted small">{say.noFriends}</p>;
  const toggle = (id: string): void => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    onChosen(next);
  };
  return (
    <fieldset class="friend-picker">
      <legend class="label">{say.friends}</legend>
      <ul>
        {here.map(({ person, presence }) => {
          const on = chosen.has(person.id);
          return (
            <li key={person.id}>
              <label>
                <input type="checkbox" checked={on} disabled={!on && chosen.size >= CALL_RING_MAX} onChange={() => toggle(person.id)} />
                <Avatar person={person} size={36} dot={dotOf(presence)} />
                <span class="grow">
                  <b class="strong clip">{person.name}</b>
                  <span class="muted small clip">{presenceLine(presence)}</span>
                </span>
              </label>
            </li>
          );
        })}
      </ul>
      {chosen.size >= CALL_RING_MAX && <p class="help">{say.tooMany(CALL_RING_MAX)}</p>}
    </fieldset>
  );
}
