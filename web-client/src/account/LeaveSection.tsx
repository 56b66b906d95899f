// What is kept of somebody: as a file, or gone for good.
import { useState } from 'preact/hooks';
import { theBearer } from '../lib/bearer';
import type { Account } from '../protocol';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { downloadSimple, trash } from '../ui/icons';
import { PasswordField } from '../ui/PasswordField';
import { showToast } from '../ui/Toast';
import { navigate } from '../ui/router';
import { accountWords } from '../account_words';
import { words } from '../words';
import { deleteAccount, exportAccount } from './account_api';
import { FormEnd } from './FormEnd';
import { explain, passwordProblem, problems } from './rules';
import { sayFailed } from './say_failed';
import { Section } from './Section';
import { useForm } from './use_form';

export function LeaveSection({ account }: { account: Account }) {
  const say = accountWords.leave;
  const [dialog, setDialog] = useState(false);
  const [busy, setBusy] = useState(false);
  const download = async (): Promise<void> => {
    setBusy(true);
    try {
      save(await exportAccount());
    } catch (thrown) {
      sayFailed(thrown, say.downloadFailed);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Section id="data" title={say.title} line={say.line}>
      <div class="fact">
        <p class="grow muted">{say.downloadLine}</p>
        <Button size="sm" icon={downloadSimple} busy={busy} onClick={() => void download()}>{say.download}</Button>
      </div>
      <div class="fact">
        <p class="grow muted">{say.deleteLine}</p>
        <Button size="sm" look="danger" icon={trash} onClick={() => setDialog(true)}>{say.delete}</Button>
      </div>
      {dialog && <Delete account={account} onClose={() => setDialog(false)} />}
    </Section>
  );
}

function Delete({ account, onClose }: { account: Account; onClose: () => void }) {
  const say = accountWords;
  const [password, setPassword] = useState('');
  const form = useForm({
    check: () => problems({ password: passwordProblem(password) }),
    send: async () => {
      await deleteAccount(password);
      theBearer().signedOut();
      showToast({ title: say.leave.deleted, line: say.leave.deletedLine });
      navigate('/');
    },
    explain: (error) => explain(error, ['password']),
  });
  return (
    <Dialog title={say.leave.deleteTitle} onClose={onClose}>
      <p class="muted lead">{say.leave.deleteWarning}</p>
      <form class="form" method="post" noValidate onSubmit={form.submit}>
        <input class="sr" type="email" name="email" autocomplete="username" value={account.email} readOnly tabIndex={-1} aria-hidden="true" />
        <PasswordField
          label={say.fields.password} kind="current" value={password} autofocus
          error={form.problems['password']} onValue={(value) => { setPassword(value); form.forget('password'); }}
        />
        <div class="ends">
          <Button onClick={onClose}>{words.common.cancel}</Button>
          <FormEnd form={form} label={say.leave.confirm} look="danger" size="md" wide={false} />
        </div>
      </form>
    </Dialog>
  );
}

function save(file: Blob): void {
  const url = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = url;
  link.download = 'courtside-account.json';
  link.click();
  URL.revokeObjectURL(url);
}
