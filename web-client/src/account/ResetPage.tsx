// Where the letter's link leads that lets somebody choose a new password. It signs out every device, this one too.
import './account.css';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { resetPassword } from '../lib/auth_api';
import { theBearer } from '../lib/bearer';
import { Button } from '../ui/Button';
import { Header, TabBar } from '../ui/Header';
import { checkCircle, warningCircle } from '../ui/icons';
import { EmptyState } from '../ui/Notice';
import { PasswordField } from '../ui/PasswordField';
import { arrived } from '../ui/router';
import { accountWords } from '../account_words';
import { words } from '../words';
import { takeCode } from './code';
import { openDoor } from './door';
import { FormEnd } from './FormEnd';
import { PASSWORD_MIN, explain, newPasswordProblem, problems } from './rules';
import { useForm } from './use_form';

export function ResetPage() {
  const say = accountWords;
  const code = useMemo(takeCode, []);
  const [password, setPassword] = useState('');
  const [state, setState] = useState<'asking' | 'done' | 'spent'>(code === null ? 'spent' : 'asking');
  useEffect(() => {
    arrived();
    document.title = `${say.reset.title} · ${words.product}`;
  }, []);
  const form = useForm({
    check: () => problems({ password: newPasswordProblem(password) }),
    send: async () => {
      await resetPassword(code ?? '', password);
      if (theBearer().who.peek().kind === 'account') theBearer().signedOut();
      setState('done');
    },
    explain: (error) => {
      if (error.field === 'code') setState('spent');
      return explain(error, ['password']);
    },
  });
  return (
    <>
      <Header signIn={state !== 'done'} />
      <main id="main" class="alone" tabIndex={-1}>
        {state === 'asking' && (
          <section class="panel door" aria-labelledby="reset-title">
            <h1 id="reset-title">{say.reset.title}</h1>
            <p class="muted lead">{say.reset.line}</p>
            <form class="form" method="post" noValidate onSubmit={form.submit}>
              <PasswordField
                label={say.fields.newPassword} kind="new" value={password} autofocus help={say.fields.passwordHelp(PASSWORD_MIN)}
                error={form.problems['password']} onValue={(value) => { setPassword(value); form.forget('password'); }}
              />
              <FormEnd form={form} label={say.reset.save} />
            </form>
          </section>
        )}
        {state === 'done' && (
          <div class="panel" role="status">
            <EmptyState only icon={checkCircle} title={say.reset.doneTitle} line={say.reset.doneLine} actions={<Button look="primary" href="/sign-in">{words.header.signIn}</Button>} />
          </div>
        )}
        {state === 'spent' && (
          <div class="panel" role="status">
            <EmptyState
              only icon={warningCircle} title={say.verify.failedTitle} line={code === null ? say.verify.missingLine : say.reset.failedLine}
              actions={<Button look="primary" onClick={() => openDoor('forgot')}>{say.reset.again}</Button>}
            />
          </div>
        )}
      </main>
      <TabBar />
    </>
  );
}
