// Profile and settings: one page, a section for each thing that can be changed. Asks the server anew, for another device may have changed it.
import './account.css';
import { useEffect, useState } from 'preact/hooks';
import { PrivacySection } from '../friends/PrivacySection';
import { theBearer } from '../lib/bearer';
import { asRequestError } from '../lib/errors';
import { Button } from '../ui/Button';
import { Header, TabBar } from '../ui/Header';
import { key } from '../ui/icons';
import { EmptyState, ErrorState } from '../ui/Notice';
import { arrived } from '../ui/router';
import { accountWords } from '../account_words';
import { words } from '../words';
import { getAccount } from './account_api';
import { DevicesSection } from './DevicesSection';
import { openDoor } from './door';
import { EmailSection } from './EmailSection';
import { LeaveSection } from './LeaveSection';
import { PasswordSection } from './PasswordSection';
import { ProfileSection } from './ProfileSection';
import { StreamKeySection } from './StreamKeySection';

export function AccountPage() {
  const who = theBearer().who.value;
  const say = accountWords;
  useEffect(() => {
    arrived();
    document.title = `${say.title} · ${words.product}`;
  }, []);
  return (
    <>
      <Header />
      <main id="main" class="settings" tabIndex={-1}>
        {who.kind === 'guest'
          ? (
            <EmptyState
              only icon={key} title={say.guest.title} line={say.guest.line}
              actions={(
                <>
                  <Button look="primary" onClick={() => openDoor('sign_in')}>{words.header.signIn}</Button>
                  <Button onClick={() => openDoor('sign_up')}>{say.door.create}</Button>
                </>
              )}
            />
          )
          : <Settings key={who.known.id} />}
      </main>
      <TabBar />
    </>
  );
}

function Settings() {
  const who = theBearer().who.value;
  const [failed, setFailed] = useState(false);
  const ask = (): void => {
    setFailed(false);
    getAccount().then((account) => theBearer().changed(account), (thrown: unknown) => {
      // Signed out meanwhile: the page shows that by itself.
      if (asRequestError(thrown).code !== 'sign_in_ended') setFailed(true);
    });
  };
  useEffect(ask, []);
  const account = who.kind === 'account' ? who.account : null;
  if (!account) {
    return failed
      ? <ErrorState title={accountWords.loadFailed} line={accountWords.loadFailedLine} onRetry={ask} />
      : <div role="status" aria-label={accountWords.title}>{[0, 1, 2].map((block) => <div key={block} class="block section-block" />)}</div>;
  }
  return (
    <>
      <h1>{accountWords.title}</h1>
      <ProfileSection account={account} />
      <EmailSection account={account} />
      <PasswordSection account={account} />
      <PrivacySection account={account} />
      <DevicesSection />
      <StreamKeySection />
      <LeaveSection account={account} />
    </>
  );
}

