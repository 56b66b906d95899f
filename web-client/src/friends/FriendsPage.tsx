// Friends as a page: the list on the left, what is written to each other on the right; one of the two on phones.
import './friends.css';
import { useEffect } from 'preact/hooks';
import { openDoor } from '../account/door';
import { theBearer } from '../lib/bearer';
import { Button } from '../ui/Button';
import { Header, TabBar } from '../ui/Header';
import { useMedia } from '../ui/hooks';
import { chatCircle, users } from '../ui/icons';
import { EmptyState } from '../ui/Notice';
import { arrived, navigate, pathOf } from '../ui/router';
import { accountWords } from '../account_words';
import { friendsWords } from '../friends_words';
import { words } from '../words';
import { ConversationView } from './ConversationView';
import { theFriends } from './of_me';
import { FriendsView } from './FriendsView';
import { useLooking } from './use_looking';

export function FriendsPage({ person }: { person: string | null }) {
  const friends = theFriends().value;
  const narrow = useMedia('(max-width: 899px)');
  useLooking(friends);
  useEffect(arrived, []);
  useEffect(() => { document.title = `${friendsWords.title} · ${words.product}`; }, []);
  const go = (id: string | null): void => navigate(pathOf({ kind: 'friends', person: id }));
  const guest = theBearer().who.value.kind === 'guest';
  return (
    <>
      {/* A conversation takes the whole of a phone, as the match does. */}
      {!(narrow && person !== null && !guest) && <Header />}
      <main id="main" class={`friends-page ${guest ? 'guest' : ''} ${person === null ? 'list' : 'talk'}`} tabIndex={-1}>
        {guest
          ? (
            <EmptyState
              only icon={users} title={friendsWords.guest.title} line={friendsWords.guest.line}
              actions={(
                <>
                  <Button look="primary" onClick={() => openDoor('sign_in')}>{words.header.signIn}</Button>
                  <Button onClick={() => openDoor('sign_up')}>{accountWords.door.create}</Button>
                </>
              )}
            />
          )
          : !friends ? <div class="block person-block" /> : (
            <>
              {!(narrow && person !== null) && (
                <div class="friends">
                  <header class="panel-head"><h1>{friendsWords.title}</h1></header>
                  <FriendsView friends={friends} chosen={person} onPerson={go} />
                </div>
              )}
              {person !== null
                ? <ConversationView key={person} friends={friends} id={person} onBack={narrow ? () => go(null) : undefined} />
                : !narrow && <div class="talk"><EmptyState icon={chatCircle} title={friendsWords.choose} line={friendsWords.chooseLine} /></div>}
            </>
          )}
      </main>
      {!(narrow && person !== null && !guest) && <TabBar />}
    </>
  );
}
