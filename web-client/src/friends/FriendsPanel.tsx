// The panel over whatever is on: friends, requests and messages. The match goes on beside it.
import { useEffect, useRef, useState } from 'preact/hooks';
import { theBearer } from '../lib/bearer';
import { IconButton } from '../ui/Button';
import { Drawer } from '../ui/Dialog';
import { x } from '../ui/icons';
import { place } from '../ui/router';
import { friendsWords } from '../friends_words';
import { words } from '../words';
import { ConversationView } from './ConversationView';
import { theFriends } from './of_me';
import { FriendsView } from './FriendsView';
import { friendsPanel } from './panel';
import { useLooking } from './use_looking';

export function FriendsPanel() {
  const friends = theFriends().value;
  const [person, setPerson] = useState<string | null>(null);
  useLooking(friends);
  const close = (): void => { friendsPanel.value = 'closed'; };
  const guest = theBearer().who.value.kind === 'guest';
  const from = useRef(place.value);
  const away = place.value !== from.current;
  // Whoever follows a link out of it, or signs out, has left it.
  useEffect(() => { if (guest || away) close(); }, [guest, away]);
  if (guest || !friends) return null;
  return (
    <Drawer label={friendsWords.title} onClose={close}>
      {person === null
        ? (
          <div class="friends">
            <header class="panel-head">
              <h1>{friendsWords.title}</h1>
              <IconButton icon={x} label={words.common.close} tip="end" below onClick={close} />
            </header>
            <FriendsView friends={friends} onPerson={setPerson} onGo={close} />
          </div>
        )
        : <ConversationView key={person} friends={friends} id={person} onBack={() => setPerson(null)} onGo={close} />}
    </Drawer>
  );
}
