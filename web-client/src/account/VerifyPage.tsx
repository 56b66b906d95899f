// Where the letter's link leads that confirms an address. The code is taken out of the address at once: it is good for one use, by one person.
import './account.css';
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { verifyEmail } from '../lib/auth_api';
import { theBearer } from '../lib/bearer';
import { asRequestError } from '../lib/errors';
import { Button } from '../ui/Button';
import { Header, TabBar } from '../ui/Header';
import { checkCircle, envelope, warningCircle } from '../ui/icons';
import { EmptyState } from '../ui/Notice';
import { arrived } from '../ui/router';
import { accountWords } from '../account_words';
import { words } from '../words';
import { getAccount } from './account_api';
import { takeCode } from './code';

type State = { kind: 'busy' } | { kind: 'done' } | { kind: 'failed'; title: string; line: string; retry: boolean };

export function VerifyPage() {
  const say = accountWords.verify;
  const code = useMemo(takeCode, []);
  const [state, setState] = useState<State>({ kind: 'busy' });
  const confirm = async (): Promise<void> => {
    if (code === null) {
      // Loaded again after it had worked, perhaps.
      const who = theBearer().who.peek();
      return setState(who.kind === 'account' && who.account?.email_verified ? { kind: 'done' } : { kind: 'failed', title: say.failedTitle, line: say.missingLine, retry: false });
    }
    setState({ kind: 'busy' });
    try {
      await verifyEmail(code);
      setState({ kind: 'done' });
      // Not needed for what this page says; the next page asks again.
      if (theBearer().who.peek().kind === 'account') await getAccount().then((account) => theBearer().changed(account), () => undefined);
    } catch (thrown) {
      const { code: why } = asRequestError(thrown);
      if (why === 'invalid_value') setState({ kind: 'failed', title: say.failedTitle, line: say.failedLine, retry: false });
      else if (why === 'email_taken') setState({ kind: 'failed', title: say.failedTitle, line: accountWords.problems.emailTaken, retry: false });
      else setState({ kind: 'failed', title: say.networkTitle, line: why === 'rate_limited' ? accountWords.problems.tooMany : accountWords.problems.network, retry: true });
    }
  };
  useEffect(() => {
    arrived();
    document.title = `${say.title} · ${words.product}`;
    void confirm();
  }, []);
  const onwards = theBearer().who.value.kind === 'account'
    ? <Button look="primary" href="/account">{say.toAccount}</Button>
    : <Button look="primary" href="/">{words.common.backToLive}</Button>;
  return (
    <>
      <Header />
      <main id="main" class="alone" tabIndex={-1}>
        <div class="panel" role="status">{content(state, onwards, () => void confirm())}</div>
      </main>
      <TabBar />
    </>
  );
}

function content(state: State, onwards: ComponentChildren, retry: () => void): ComponentChildren {
  const say = accountWords.verify;
  switch (state.kind) {
    case 'busy': return <EmptyState only icon={envelope} title={say.busy} />;
    case 'done': return <EmptyState only icon={checkCircle} title={say.doneTitle} line={say.doneLine} actions={onwards} />;
    case 'failed': return (
      <EmptyState
        only icon={warningCircle} title={state.title} line={state.line}
        actions={state.retry ? <Button look="primary" onClick={retry}>{words.common.tryAgain}</Button> : onwards}
      />
    );
  }
}
