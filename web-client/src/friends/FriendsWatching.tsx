// On Home: friends who watch something now, each with the way to join them. Nothing where nobody does.
import './watching.css';
import { Avatar } from '../ui/Avatar';
import { Button } from '../ui/Button';
import { pathOf } from '../ui/router';
import { friendsWords } from '../friends_words';
import { theFriends } from './of_me';
import { useLooking } from './use_looking';

/** More are on the friends' page. */
const SHOWN_MAX = 8;

export function FriendsWatching() {
  const friends = theFriends().value;
  useLooking(friends);
  const watching = friends?.circle.value.friends.flatMap(({ person, presence }) => (presence.watching ? [{ person, at: presence.watching }] : [])) ?? [];
  if (watching.length === 0) return null;
  const say = friendsWords;
  return (
    <section aria-labelledby="friends-watching">
      <h2 id="friends-watching" class="section">{say.friendsWatching}</h2>
      <ul class="friends-watching">
        {watching.slice(0, SHOWN_MAX).map(({ person, at }) => (
          <li key={person.id}>
            <Avatar person={person} size={36} dot="watching" />
            <span class="grow">
              <b class="strong clip">{person.name}</b>
              <span class="muted small clip">{at.title || say.untitled}</span>
            </span>
            <Button size="sm" href={pathOf({ kind: 'watch', slug: at.slug })} label={say.watchWith(person.name, at.title || say.untitled)}>{say.watch}</Button>
          </li>
        ))}
      </ul>
    </section>
  );
}
