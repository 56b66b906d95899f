// The list: who watches what, all friends, requests and messages, each on a tab; people who are searched for in their place.
import './friends.css';
import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { Icon } from '../ui/Icon';
import { chatCircle, magnifier, userPlus, users, videoCamera } from '../ui/icons';
import { EmptyState, ErrorState } from '../ui/Notice';
import { friendsWords } from '../friends_words';
import { byMatch } from './circle';
import { SEARCH_MAX, SEARCH_MIN } from './contract';
import { ConversationRow } from './ConversationRow';
import type { Friends } from './friends';
import { unreadCount } from './mailbox';
import { PersonRow, type PersonRowProps } from './PersonRow';
import { SearchResults } from './SearchResults';

export type FriendsViewProps = {
  friends: Friends;
  /** Whose conversation is shown beside the list. */
  chosen?: string | null;
  onPerson: (id: string) => void;
  /** Somebody is joined at their match. */
  onGo?: (() => void) | undefined;
};

const TABS = ['watching', 'all', 'requests', 'messages'] as const;
type Tab = (typeof TABS)[number];

export function FriendsView({ friends, chosen = null, onPerson, onGo }: FriendsViewProps) {
  const say = friendsWords;
  const id = useId();
  const [text, setText] = useState('');
  const [chosenTab, setTab] = useState<Tab | null>(null);
  const circle = friends.circle.value;
  const mailbox = friends.mailbox.value;
  const watching = circle.friends.filter(({ presence }) => presence.watching);
  // What is worth seeing first, until somebody chooses.
  const tab = chosenTab ?? (watching.length > 0 ? 'watching' : 'all');
  const counts: Record<Tab, number> = {
    watching: watching.length, all: circle.friends.length, requests: circle.incoming.length, messages: unreadCount(mailbox),
  };
  const searching = text.trim().length > 0;
  const arrow = (event: KeyboardEvent & { currentTarget: HTMLElement }): void => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length] ?? 'all';
    setTab(next);
    event.currentTarget.querySelector<HTMLElement>(`#${CSS.escape(`${id}-${next}`)}`)?.focus();
  };
  return (
    <>
      <div class="find" role="search">
        <Icon svg={magnifier} size="s" />
        <input
          class="input" type="search" value={text} placeholder={say.findPlaceholder} aria-label={say.find} maxLength={SEARCH_MAX}
          autocomplete="off" spellcheck={false}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            // Empties the field first; once it is empty, Esc is for what lies around it.
            if (event.key !== 'Escape' || text === '') return;
            event.preventDefault();
            event.stopPropagation();
            setText('');
          }}
        />
      </div>
      {searching
        ? <div class="scroll"><SearchResults friends={friends} text={text.trim()} least={SEARCH_MIN} onPerson={onPerson} /></div>
        : (
          <>
            <div class="tabs" role="tablist" aria-label={say.tabsLabel} onKeyDown={arrow}>
              {TABS.map((which) => (
                <button
                  key={which} type="button" role="tab" id={`${id}-${which}`} aria-selected={which === tab} aria-controls={`${id}-list`}
                  tabIndex={which === tab ? 0 : -1} onClick={() => setTab(which)}
                >
                  {say.tabs[which]}
                  {counts[which] > 0 && <span class={which === 'requests' || which === 'messages' ? 'fresh' : 'n'}>{counts[which]}</span>}
                </button>
              ))}
            </div>
            <div class="scroll" role="tabpanel" id={`${id}-list`} aria-labelledby={`${id}-${tab}`} tabIndex={-1}>
              {listOf()}
            </div>
          </>
        )}
    </>
  );

  function listOf(): ComponentChildren {
    switch (friends.loading.value) {
      case 'asking': return <div role="status" aria-label={say.loading}>{[0, 1, 2].map((row) => <div key={row} class="block person-block" />)}</div>;
      case 'failed': return <ErrorState title={say.loadFailed} line={say.loadFailedLine} onRetry={() => friends.again()} />;
      case 'ready': break;
    }
    const row = (props: Pick<PersonRowProps, 'person' | 'presence' | 'line'>) => (
      <PersonRow key={props.person.id} friends={friends} chosen={chosen === props.person.id} onOpen={onPerson} onGo={onGo} {...props} />
    );
    switch (tab) {
      case 'watching':
        if (watching.length === 0) return <EmptyState icon={videoCamera} title={say.noneWatching} line={say.noneWatchingLine} />;
        return byMatch(circle.friends).map((match) => (
          <section key={match.slug} aria-label={match.title || say.untitled}>
            <h2 class="group clip">{match.title || say.untitled}</h2>
            <ul>{match.friends.map((friend) => row({ ...friend, line: null }))}</ul>
          </section>
        ));
      case 'all':
        if (circle.friends.length === 0) return <EmptyState icon={users} title={say.none} line={say.noneLine} />;
        return <ul>{circle.friends.map(row)}</ul>;
      case 'requests':
        if (circle.incoming.length + circle.outgoing.length === 0) return <EmptyState icon={userPlus} title={say.noRequests} line={say.noRequestsLine} />;
        return (
          <>
            {circle.incoming.length > 0 && <section aria-label={say.incoming}><h2 class="group">{say.incoming}</h2><ul>{circle.incoming.map((person) => row({ person }))}</ul></section>}
            {circle.outgoing.length > 0 && <section aria-label={say.outgoing}><h2 class="group">{say.outgoing}</h2><ul>{circle.outgoing.map((person) => row({ person }))}</ul></section>}
          </>
        );
      case 'messages':
        if (mailbox.conversations.length === 0) return <EmptyState icon={chatCircle} title={say.noMessages} line={say.noMessagesLine} />;
        return <ul>{mailbox.conversations.map((one) => <ConversationRow key={one.person.id} conversation={one} me={friends.me} chosen={chosen === one.person.id} onOpen={onPerson} />)}</ul>;
    }
  }
}
