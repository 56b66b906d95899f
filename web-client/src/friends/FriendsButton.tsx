// In the header: opens the panel, and says how much is new. On phones the tab bar leads to the page instead.
import { theBearer } from '../lib/bearer';
import { IconButton } from '../ui/Button';
import { formatNew } from '../ui/format';
import { users, usersFill } from '../ui/icons';
import { navigate, pathOf, place } from '../ui/router';
import { words } from '../words';
import { theFriends } from './of_me';
import { friendsPanel } from './panel';

export function FriendsButton() {
  const friends = theFriends().value;
  if (theBearer().who.value.kind === 'guest' || !friends) return null;
  const open = friendsPanel.value === 'open';
  const here = place.value.kind === 'friends';
  return (
    <span class="friends-button wide-only">
      <IconButton
        icon={open || here ? usersFill : users}
        label={words.header.friendsNew(friends.badge.value)}
        popup="dialog"
        expanded={open}
        tip="end"
        below
        onClick={() => {
          if (here) navigate(pathOf({ kind: 'friends', person: null }));
          else friendsPanel.value = 'open';
        }}
      />
      <FriendsCount />
    </span>
  );
}

/** How much is new; nothing where nothing is. Its words are in the name of what it lies on. */
export function FriendsCount() {
  const count = theFriends().value?.badge.value ?? 0;
  return count > 0 ? <span class="count" aria-hidden="true">{formatNew(count)}</span> : null;
}
