// The address: whether it is confirmed, the letter once more, another one.
import { useState } from 'preact/hooks';
import type { Account } from '../protocol';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { Field } from '../ui/Field';
import { Icon } from '../ui/Icon';
import { checkCircle, warningFill } from '../ui/icons';
import { PasswordField } from '../ui/PasswordField';
import { showToast } from '../ui/Toast';
import { accountWords } from '../account_words';
import { changeEmail, resendVerification } from './account_api';
import { FormEnd } from './FormEnd';
import { emailProblem, explain, passwordProblem, problems } from './rules';
import { sayFailed } from './say_failed';
import { Section } from './Section';
import { useForm } from './use_form';

export function EmailSection({ account }: { account: Account }) {
  const say = accountWords.mail;
  const [dialog, setDialog] = useState(false);
  const [sending, setSending] = useState(false);
  const resend = async (): Promise<void> => {
    setSending(true);
    try {
      await resendVerification();
      showToast({ title: say.resent, line: say.resentLine(account.email) });
    } catch (thrown) {
      sayFailed(thrown);
    } finally {
      setSending(false);
    }
  };
  return (
    <Section id="email" title={say.title} line={say.line}>
      <div class="fact">
        <div class="grow">
          <p class="strong clip">{account.email}</p>
          {account.email_verified
            ? <span class="badge"><Icon svg={checkCircle} size="s" />{say.confirmed}</span>
            : <span class="badge behind"><Icon svg={warningFill} size="s" />{say.unconfirmed}</span>}
        </div>
        <div class="row wrap">
          {!account.email_verified && <Button size="sm" busy={sending} onClick={() => void resend()}>{say.resend}</Button>}
          <Button size="sm" onClick={() => setDialog(true)}>{say.change}</Button>
        </div>
      </div>
      {dialog && <ChangeEmail onClose={() => setDialog(false)} />}
    </Section>
  );
}

function ChangeEmail({ onClose }: { onClose: () => void }) {
  const say = accountWords;
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const form = useForm({
    check: () => problems({ email: emailProblem(email), password: passwordProblem(password) }),
    send: async () => {
      await changeEmail({ email: email.trim(), password });
      showToast({ title: say.mail.changed, line: say.mail.changedLine(email.trim()) });
      onClose();
    },
    explain: (error) => explain(error, ['email', 'password']),
  });
  return (
    <Dialog title={say.mail.changeTitle} onClose={onClose}>
      <p class="muted lead">{say.mail.changeLine}</p>
      <form class="form" noValidate onSubmit={form.submit}>
        <Field
          label={say.fields.newEmail} type="email" name="email" autocomplete="email" value={email} autofocus
          error={form.problems['email']} onValue={(value) => { setEmail(value); form.forget('email'); }}
        />
        <PasswordField
          label={say.fields.currentPassword} kind="current" value={password}
          error={form.problems['password']} onValue={(value) => { setPassword(value); form.forget('password'); }}
        />
        <FormEnd form={form} label={say.mail.change} />
      </form>
    </Dialog>
  );
}
