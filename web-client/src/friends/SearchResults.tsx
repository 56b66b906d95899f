// People whose names begin with what is typed, asked for a moment after the last key.
import { useState } from 'preact/hooks';
import { explain } from '../account/rules';
import { asRequestError } from '../lib/errors';
import { useScope } from '../ui/hooks';
import { magnifier } from '../ui/icons';
import { EmptyState, ErrorState } from '../ui/Notice';
import { accountWords } from '../account_words';
import { friendsWords } from '../friends_words';
import type { Person } from '../protocol';
import { find } from './circle';
import type { Friends } from './friends';
import { searchPeople } from './friends_api';
import { PersonRow } from './PersonRow';

/** Between the last key and the question, ms: whoever types a name asks once. */
const PAUSE_MS = 250;

type Found = { kind: 'short' } | { kind: 'asking' } | { kind: 'there'; text: string; people: Person[] } | { kind: 'failed'; line: string };

export function SearchResults({ friends, text, least, onPerson }: { friends: Friends; text: string; least: number; onPerson: (id: string) => void }) {
  const say = friendsWords;
  const [found, setFound] = useState<Found>({ kind: 'asking' });
  const [round, setRound] = useState(0);
  useScope((until) => {
    if ([...text].length < least) return setFound({ kind: 'short' });
    // What was found stays on the page until there is something newer.
    setFound((before) => (before.kind === 'there' ? before : { kind: 'asking' }));
    const timer = setTimeout(() => {
      searchPeople(text, { signal: until }).then(
        (people) => setFound({ kind: 'there', text, people }),
        (thrown: unknown) => { if (!until.aborted) setFound({ kind: 'failed', line: explain(asRequestError(thrown), [])['form'] ?? accountWords.problems.other }); },
      );
    }, PAUSE_MS);
    until.addEventListener('abort', () => clearTimeout(timer));
  }, [text, least, round]);
  switch (found.kind) {
    case 'short': return <p class="muted hint">{say.findShort}</p>;
    case 'asking': return <div class="block person-block" />;
    case 'failed': return <ErrorState title={say.findFailed} line={found.line} onRetry={() => setRound(round + 1)} />;
    case 'there': {
      const people = found.people.filter(({ id }) => id !== friends.me);
      if (people.length === 0) return <div role="status"><EmptyState icon={magnifier} title={say.findNobody(found.text)} /></div>;
      return (
        <ul aria-label={say.results}>
          {people.map((person) => {
            // What we know is newer than what was found.
            const known = find(friends.circle.value, person.id) ?? { ...person, relation: 'none' as const };
            const presence = friends.circle.value.friends.find((friend) => friend.person.id === person.id)?.presence;
            return <PersonRow key={person.id} friends={friends} person={{ ...person, ...known }} {...(presence ? { presence } : {})} onOpen={onPerson} />;
          })}
        </ul>
      );
    }
  }
}
