// One person: who they are to us and what they watch, what can be done about them, and what was written.
import './friends.css';
import { useEffect, useState } from 'preact/hooks';
import { sayFailed } from '../account/say_failed';
import { Ask } from '../ui/Ask';
import { Avatar } from '../ui/Avatar';
import { IconButton } from '../ui/Button';
import { caretLeft, compass, dotsThree, prohibit, trash } from '../ui/icons';
import { Menu, MenuItem } from '../ui/Menu';
import { useMenu } from '../ui/use_menu';
import { EmptyState, ErrorState } from '../ui/Notice';
import { showToast } from '../ui/Toast';
import { accountWords } from '../account_words';
import { friendsWords } from '../friends_words';
import type { Person } from '../protocol';
import { find } from './circle';
import { Composer } from './Composer';
import type { Friends } from './friends';
import { PersonActions, dotOf, presenceLine } from './PersonRow';
import { Thread } from './Thread';

export type ConversationViewProps = { friends: Friends; id: string; onBack?: (() => void) | undefined; onGo?: (() => void) | undefined };

export function ConversationView({ friends, id, onBack, onGo }: ConversationViewProps) {
  const say = friendsWords;
  useEffect(() => { void friends.open(id); }, [friends, id]);
  const person = friends.person(id);
  const friend = friends.circle.value.friends.find((one) => one.person.id === id);
  const relation = find(friends.circle.value, id)?.relation ?? 'none';
  const state = friends.threadState(id);
  const back = onBack && <IconButton icon={caretLeft} label={say.back} tip="start" below onClick={onBack} />;
  if (!person) {
    return (
      <section class="talk" aria-label={say.title}>
        <header class="panel-head">{back}</header>
        {state === 'asking'
          ? <div class="block person-block" />
          : <EmptyState icon={compass} title={say.nobody} line={say.nobodyLine} />}
      </section>
    );
  }
  return (
    <section class="talk" aria-label={friendsWords.write.log(person.name)}>
      <header class="panel-head">
        {back}
        <Avatar person={person} size={36} dot={dotOf(friend?.presence)} />
        <div class="grow">
          <h2 class="clip">{person.name}</h2>
          <p class="muted small clip">{friend ? presenceLine(friend.presence) : say.relations[relation]}</p>
        </div>
        {(relation === 'friend' || relation === 'incoming' || relation === 'outgoing') && <PersonActions friends={friends} person={person} presence={friend?.presence} onGo={onGo} />}
        <More friends={friends} person={person} />
      </header>
      {state === 'failed'
        ? <ErrorState title={say.write.failed} line={accountWords.loadFailedLine} onRetry={() => friends.retryThread(id)} />
        : <Thread friends={friends} person={person} />}
      {relation === 'friend' ? <Composer friends={friends} person={person} /> : <NotFriends friends={friends} person={person} />}
    </section>
  );
}

function NotFriends({ friends, person }: { friends: Friends; person: Person }) {
  const relation = find(friends.circle.value, person.id)?.relation ?? 'none';
  return (
    <footer class="not-friends">
      <p class="muted small grow">{relation === 'blocked' ? friendsWords.write.blocked : friendsWords.write.notFriends}</p>
      {(relation === 'none' || relation === 'blocked') && <PersonActions friends={friends} person={person} />}
    </footer>
  );
}

/** What is done seldom, and asks first. */
function More({ friends, person }: { friends: Friends; person: Person }) {
  const say = friendsWords;
  const relation = find(friends.circle.value, person.id)?.relation ?? 'none';
  const [question, setQuestion] = useState<'remove' | 'block' | null>(null);
  const { open, button, toggle, close } = useMenu();
  const ask = (what: 'remove' | 'block') => () => { close(); setQuestion(what); };
  const act = (what: () => Promise<void>, done?: () => void) => () => what().then(done, (thrown: unknown) => sayFailed(thrown, say.failed));
  if (relation === 'blocked') return null;
  return (
    <span class="more">
      <IconButton buttonRef={button} icon={dotsThree} label={say.more(person.name)} popup="menu" expanded={open} tip="end" below onClick={toggle} />
      {open && (
        <Menu label={person.name} class="below" onClose={close}>
          {relation === 'friend' && <MenuItem icon={trash} onSelect={ask('remove')}>{say.remove}</MenuItem>}
          <MenuItem icon={prohibit} onSelect={ask('block')}>{say.block}</MenuItem>
        </Menu>
      )}
      {question === 'remove' && (
        <Ask title={say.removeTitle(person.name)} line={say.removeLine} action={say.removeDo} run={act(() => friends.unfriend(person))} onClose={() => setQuestion(null)} />
      )}
      {question === 'block' && (
        <Ask
          title={say.blockTitle(person.name)} line={say.blockLine} action={say.block}
          run={act(() => friends.block(person), () => showToast({ title: say.blocked(person.name) }))} onClose={() => setQuestion(null)}
        />
      )}
    </span>
  );
}
