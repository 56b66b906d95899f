// A forgotten password: asks for the letter. Whether there is such an account is not said.
import { forgotPassword } from '../lib/auth_api';
import { Field } from '../ui/Field';
import { accountWords } from '../account_words';
import { FormEnd } from './FormEnd';
import type { AddressProps } from './SignInForm';
import { emailProblem, explain, problems } from './rules';
import { useForm } from './use_form';

export function ForgotForm({ email, onEmail, onBack, onSent }: AddressProps & { onBack: () => void; onSent: (email: string) => void }) {
  const say = accountWords;
  const form = useForm({
    check: () => problems({ email: emailProblem(email) }),
    send: async () => {
      await forgotPassword(email.trim());
      onSent(email.trim());
    },
    explain: (error) => explain(error, ['email']),
  });
  return (
    <form class="form" method="post" action="/sign-in" noValidate onSubmit={form.submit}>
      <Field
        label={say.fields.email} type="email" name="email" autocomplete="username" value={email} autofocus
        error={form.problems['email']} onValue={(value) => { onEmail(value); form.forget('email'); }}
      />
      <FormEnd form={form} label={say.door.sendLink} />
      <button class="link quiet" type="button" onClick={onBack}>{say.door.backToSignIn}</button>
    </form>
  );
}
