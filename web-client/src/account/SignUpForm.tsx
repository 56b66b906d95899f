// Signing up. A guest stays the same person.
import { useState } from 'preact/hooks';
import { signUp } from '../lib/auth_api';
import { theBearer } from '../lib/bearer';
import { Field } from '../ui/Field';
import { PasswordField } from '../ui/PasswordField';
import { showToast } from '../ui/Toast';
import { accountWords } from '../account_words';
import { FormEnd } from './FormEnd';
import type { AddressProps } from './SignInForm';
import { PASSWORD_MIN, emailProblem, explain, nameProblem, newPasswordProblem, problems } from './rules';
import { useForm } from './use_form';

export function SignUpForm({ email, onEmail }: AddressProps) {
  const say = accountWords;
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const form = useForm({
    check: () => problems({ name: nameProblem(name), email: emailProblem(email), password: newPasswordProblem(password, [name, email]) }),
    send: async () => {
      const bearer = theBearer();
      const fresh = await signUp({ name, email: email.trim(), password }, await bearer.token());
      bearer.signedIn(fresh);
      showToast({ title: say.door.joined(fresh.account.name), line: say.door.joinedLine(fresh.account.email) });
    },
    explain: (error) => explain(error, ['name', 'email', 'password']),
  });
  const set = (field: string, keep: (value: string) => void) => (value: string) => { keep(value); form.forget(field); };
  return (
    <form class="form" method="post" action="/sign-up" noValidate onSubmit={form.submit}>
      <Field
        label={say.fields.name} name="name" autocomplete="nickname" value={name} autofocus help={say.fields.nameHelp}
        error={form.problems['name']} onValue={set('name', setName)}
      />
      <Field
        label={say.fields.email} type="email" name="email" autocomplete="username" value={email}
        error={form.problems['email']} onValue={set('email', onEmail)}
      />
      <PasswordField
        label={say.fields.password} kind="new" value={password} help={say.fields.passwordHelp(PASSWORD_MIN)}
        error={form.problems['password']} onValue={set('password', setPassword)}
      />
      <FormEnd form={form} label={say.door.create} />
    </form>
  );
}
