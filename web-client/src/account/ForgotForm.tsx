// A forgotten password: asks for the letter. Whether there is such an account is not said.
import { useState } from 'preact/hooks';
import { forgotPassword } from '../lib/auth_api';
import { Button } from '../ui/Button';
import { Field } from '../ui/Field';
import { Icon } from '../ui/Icon';
import { envelope } from '../ui/icons';
import { words } from '../words';
import { FormEnd } from './FormEnd';
import type { AddressProps } from './SignInForm';
import { emailProblem, explain, problems } from './rules';
import { useForm } from './use_form';

export function ForgotForm({ email, onEmail, onBack }: AddressProps & { onBack: () => void }) {
  const say = words.account;
  const [sentTo, setSentTo] = useState<string | null>(null);
  const form = useForm({
    check: () => problems({ email: emailProblem(email) }),
    send: async () => {
      await forgotPassword(email.trim());
      setSentTo(email.trim());
    },
    explain: (error) => explain(error, ['email']),
  });
  if (sentTo !== null) {
    return (
      <div class="form sent" role="status">
        <Icon svg={envelope} size="l" />
        <h2>{say.door.sentTitle}</h2>
        <p class="muted">{say.door.sentLine(sentTo)}</p>
        <Button wide size="lg" autofocus onClick={onBack}>{say.door.backToSignIn}</Button>
      </div>
    );
  }
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
