// In the settings: what friends see of somebody, and whom they have blocked.
import { useState } from 'preact/hooks';
import { sayFailed } from '../account/say_failed';
import { Section } from '../account/Section';
import { useAsked } from '../account/use_asked';
import { Avatar } from '../ui/Avatar';
import { Switch } from '../ui/Field';
import { ErrorState } from '../ui/Notice';
import { accountWords } from '../account_words';
import { friendsWords } from '../friends_words';
import { theFriends } from './of_me';
import { hideWatching, hidesWatching } from './friends_api';
import { PersonActions } from './PersonRow';

export function PrivacySection() {
  const say = friendsWords.privacy;
  const friends = theFriends().value;
  const { asked, again, set } = useAsked((signal) => hidesWatching({ signal }));
  const [busy, setBusy] = useState(false);
  const hide = async (on: boolean): Promise<void> => {
    if (busy) return;
    setBusy(true);
    set(on);
    try {
      await hideWatching(on);
    } catch (thrown) {
      set(!on);
      sayFailed(thrown);
    } finally {
      setBusy(false);
    }
  };
  const blocked = friends?.circle.value.blocked ?? [];
  return (
    <Section id="privacy" title={say.title} line={say.line}>
      {asked.kind === 'asking' && <div class="block row-block" />}
      {asked.kind === 'failed' && <ErrorState title={say.failed} line={accountWords.loadFailedLine} onRetry={again} />}
      {asked.kind === 'there' && (
        <Switch checked={asked.value} onChecked={(on) => void hide(on)}>
          <b class="strong">{say.hide}</b>
          <small>{say.hideLine}</small>
        </Switch>
      )}
      <div>
        <h3>{say.blocked}</h3>
        {blocked.length === 0
          ? <p class="muted small">{say.noneBlocked}</p>
          : (
            <ul class="rows">
              {blocked.map((person) => (
                <li key={person.id} class="fact">
                  <Avatar person={person} size={32} />
                  <p class="strong clip grow">{person.name}</p>
                  {friends && <PersonActions friends={friends} person={person} />}
                </li>
              ))}
            </ul>
          )}
      </div>
    </Section>
  );
}
