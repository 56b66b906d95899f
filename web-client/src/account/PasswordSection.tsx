// A new password, for whoever knows the present one.
import { useState } from 'preact/hooks';
import { theBearer } from '../lib/bearer';
import type { Account } from '../protocol';
import { Button } from '../ui/Button';
import { PasswordField } from '../ui/PasswordField';
import { showToast } from '../ui/Toast';
import { accountWords } from '../account_words';
import { words } from '../words';
import { changePassword } from './account_api';
import { FormEnd } from './FormEnd';
import { PASSWORD_MIN, explain, newPasswordProblem, passwordProblem, problems } from './rules';
import { Section } from './Section';
import { useForm } from './use_form';

export function PasswordSection({ account }: { account: Account }) {
  const say = accountWords.password;
  const [open, setOpen] = useState(false);
  return (
    <Section id="password" title={say.title} line={say.line}>
      {open
        ? <ChangePassword account={account} onDone={() => setOpen(false)} />
        : <div class="fact"><span class="grow dots" aria-hidden="true">••••••••••</span><Button size="sm" onClick={() => setOpen(true)}>{say.change}</Button></div>}
    </Section>
  );
}

function ChangePassword({ account, onDone }: { account: Account; onDone: () => void }) {
  const say = accountWords;
  const [current, setCurrent] = useState('');
  const [chosen, setChosen] = useState('');
  const form = useForm({
    check: () => problems({ current: passwordProblem(current), new: newPasswordProblem(chosen, [account.name, account.email]) }),
    send: async () => {
      theBearer().signedIn(await changePassword({ current, new: chosen }));
      showToast({ title: say.password.changed, line: say.password.changedLine });
      onDone();
    },
    explain: (error) => explain(error, ['current', 'new'], 'current'),
  });
  return (
    <form class="form" method="post" noValidate onSubmit={form.submit}>
      {/* Tells a password manager whose password this is. */}
      <input class="sr" type="email" name="email" autocomplete="username" value={account.email} readOnly tabIndex={-1} aria-hidden="true" />
      <PasswordField
        label={say.fields.currentPassword} kind="current" name="current" value={current} autofocus
        error={form.problems['current']} onValue={(value) => { setCurrent(value); form.forget('current'); }}
      />
      <PasswordField
        label={say.fields.newPassword} kind="new" name="new" value={chosen} help={say.fields.passwordHelp(PASSWORD_MIN)}
        error={form.problems['new']} onValue={(value) => { setChosen(value); form.forget('new'); }}
      />
      <div class="ends">
        <FormEnd form={form} label={say.reset.save} size="md" wide={false} />
        <Button look="ghost" onClick={onDone}>{words.common.cancel}</Button>
      </div>
    </form>
  );
}
