// In the settings: what friends see of somebody, and whom they have blocked.
import { useState } from 'preact/hooks';
import { changeAccount } from '../account/account_api';
import { sayFailed } from '../account/say_failed';
import { Section } from '../account/Section';
import { theBearer } from '../lib/bearer';
import type { Account } from '../protocol';
import { Avatar } from '../ui/Avatar';
import { Switch } from '../ui/Field';
import { friendsWords } from '../friends_words';
import { theFriends } from './of_me';
import { PersonActions } from './PersonRow';

export function PrivacySection({ account }: { account: Account }) {
  const say = friendsWords.privacy;
  const friends = theFriends().value;
  /** Shown until the server has it. */
  const [wanted, setWanted] = useState<boolean | null>(null);
  const hide = async (on: boolean): Promise<void> => {
    if (wanted !== null) return;
    setWanted(on);
    try {
      theBearer().changed(await changeAccount({ hide_watching: on }));
    } catch (thrown) {
      sayFailed(thrown);
    } finally {
      setWanted(null);
    }
  };
  const blocked = friends?.circle.value.blocked ?? [];
  return (
    <Section id="privacy" title={say.title} line={say.line}>
      <Switch checked={wanted ?? account.hide_watching} onChecked={(on) => void hide(on)}>
        <b class="strong">{say.hide}</b>
        <small>{say.hideLine}</small>
      </Switch>
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
