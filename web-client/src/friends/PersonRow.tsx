// One person: face, name, what they are doing, and the one or two things that can be done.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { sayFailed } from '../account/say_failed';
import { Avatar } from '../ui/Avatar';
import { Button, type ButtonLook } from '../ui/Button';
import { pathOf } from '../ui/router';
import { showToast } from '../ui/Toast';
import { friendsWords } from '../friends_words';
import type { Person, Presence } from '../protocol';
import { find } from './circle';
import type { Friends } from './friends';

export type PersonRowProps = {
  friends: Friends;
  person: Person;
  presence?: Presence;
  /** In place of what they are doing; `null`: nothing, what stands above says it. */
  line?: string | null;
  chosen?: boolean;
  onOpen: (id: string) => void;
  onGo?: (() => void) | undefined;
};

export function PersonRow({ friends, person, presence, line, chosen, onOpen, onGo }: PersonRowProps) {
  const doing = line !== undefined ? line : presence ? presenceLine(presence) : friendsWords.relations[person.relation ?? 'none'];
  return (
    <li class={`person ${chosen ? 'chosen' : ''}`}>
      <button class="open" type="button" aria-current={chosen ? 'true' : undefined} onClick={() => onOpen(person.id)}>
        <Avatar person={person} size={40} dot={dotOf(presence)} />
        <span class="grow">
          <b class="strong clip">{person.name}</b>
          {doing && <span class="muted small clip">{doing}</span>}
        </span>
      </button>
      <PersonActions friends={friends} person={person} presence={presence} onGo={onGo} />
    </li>
  );
}

/** What can be done about somebody, by what they are to us. */
export function PersonActions({ friends, person, presence, onGo }: { friends: Friends; person: Person; presence?: Presence | undefined; onGo?: (() => void) | undefined }) {
  const say = friendsWords;
  const relation = find(friends.circle.value, person.id)?.relation ?? 'none';
  const [busy, setBusy] = useState(false);
  const act = (what: () => Promise<void>, done?: string) => async (): Promise<void> => {
    setBusy(true);
    try {
      await what();
      if (done) showToast({ title: done });
    } catch (thrown) {
      sayFailed(thrown, say.failed);
    } finally {
      setBusy(false);
    }
  };
  const button = (text: string, look: ButtonLook, run: () => Promise<void>): ComponentChildren => (
    <Button size="sm" look={look} busy={busy} label={say.of(text, person.name)} onClick={() => void run()}>{text}</Button>
  );
  switch (relation) {
    case 'friend': {
      const watching = presence?.watching;
      if (!watching) return null;
      return <Button size="sm" href={pathOf({ kind: 'watch', slug: watching.slug })} label={say.watchWith(person.name, watching.title || say.untitled)} onClick={() => onGo?.()}>{say.watch}</Button>;
    }
    case 'incoming': return (
      <>
        {button(say.refuse, 'ghost', act(() => friends.unfriend(person)))}
        {button(say.accept, 'primary', act(() => friends.befriend(person), say.accepted(person.name)))}
      </>
    );
    case 'outgoing': return button(say.withdraw, 'ghost', act(() => friends.unfriend(person)));
    case 'blocked': return button(say.unblock, 'secondary', act(() => friends.unblock(person), say.unblocked(person.name)));
    case 'none': return button(say.addShort, 'secondary', act(() => friends.befriend(person), say.sent(person.name)));
  }
}

export function dotOf(presence: Presence | undefined): 'watching' | 'online' | undefined {
  return presence?.watching ? 'watching' : presence?.online ? 'online' : undefined;
}

export function presenceLine({ online, watching }: Presence): string {
  const say = friendsWords;
  return watching ? say.watching(watching.title || say.untitled) : online ? say.online : say.offline;
}
