// Signing in.
import { useState } from 'preact/hooks';
import { signIn } from '../lib/auth_api';
import { theBearer } from '../lib/bearer';
import { Field } from '../ui/Field';
import { PasswordField } from '../ui/PasswordField';
import { showToast } from '../ui/Toast';
import { accountWords } from '../account_words';
import { FormEnd } from './FormEnd';
import { emailProblem, explain, passwordProblem, problems } from './rules';
import { useForm } from './use_form';

/** The address is kept by whoever draws the form, so that it is there on the other side, too. */
export type AddressProps = { email: string; onEmail: (email: string) => void };

export function SignInForm({ email, onEmail, onForgot }: AddressProps & { onForgot: () => void }) {
  const say = accountWords;
  const [password, setPassword] = useState('');
  const form = useForm({
    check: () => problems({ email: emailProblem(email), password: passwordProblem(password) }),
    send: async () => {
      const fresh = await signIn({ email: email.trim(), password });
      theBearer().signedIn(fresh);
      showToast({ title: say.door.welcome(fresh.account.name) });
    },
    explain: (error) => (error.code === 'wrong_credentials' ? { password: say.problems.signInWrong } : explain(error, ['email', 'password'])),
  });
  const wrong = form.problems['password'];
  return (
    <form class="form" method="post" action="/sign-in" noValidate onSubmit={form.submit}>
      <Field
        label={say.fields.email} type="email" name="email" autocomplete="username" value={email} autofocus={email === ''}
        error={form.problems['email']} onValue={(value) => { onEmail(value); form.forget('email'); }}
      />
      <PasswordField
        label={say.fields.password} kind="current" value={password} autofocus={email !== ''}
        error={wrong && (wrong === say.problems.signInWrong
          ? <span>{wrong} <button class="link" type="button" onClick={onForgot}>{say.door.resetIt}</button></span>
          : wrong)}
        onValue={(value) => { setPassword(value); form.forget('password'); }}
      />
      <FormEnd form={form} label={say.door.signIn} />
      <button class="link quiet" type="button" onClick={onForgot}>{say.door.forgot}</button>
    </form>
  );
}
