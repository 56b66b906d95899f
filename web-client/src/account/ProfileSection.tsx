// What others see: picture and name.
import { useRef, useState } from 'preact/hooks';
import { theBearer } from '../lib/bearer';
import type { Account } from '../protocol';
import { Avatar } from '../ui/Avatar';
import { Button } from '../ui/Button';
import { Field } from '../ui/Field';
import { Icon } from '../ui/Icon';
import { camera, warningCircleFill } from '../ui/icons';
import { showToast } from '../ui/Toast';
import { accountWords } from '../account_words';
import { changeAccount, removePicture } from './account_api';
import { FormEnd } from './FormEnd';
import { PictureDialog } from './PictureDialog';
import { PictureError, readPicture } from './picture_file';
import { explain, nameProblem, problems } from './rules';
import { sayFailed } from './say_failed';
import { Section } from './Section';
import { useForm } from './use_form';

export function ProfileSection({ account }: { account: Account }) {
  const say = accountWords.profile;
  return (
    <Section id="profile" title={say.title} line={say.line}>
      <Picture account={account} />
      <Name account={account} />
    </Section>
  );
}

function Picture({ account }: { account: Account }) {
  const say = accountWords.profile;
  const input = useRef<HTMLInputElement>(null);
  const [chosen, setChosen] = useState<ImageBitmap | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [removing, setRemoving] = useState(false);
  const [hasNone, setHasNone] = useState(account.picture_version === 0);

  const choose = async (file: File | undefined): Promise<void> => {
    setProblem(null);
    if (!file) return;
    try {
      setChosen(await readPicture(file));
    } catch (thrown) {
      setProblem(thrown instanceof PictureError && thrown.failure === 'too_large' ? say.tooLarge : say.unreadable);
    }
  };
  const remove = async (): Promise<void> => {
    setRemoving(true);
    try {
      await removePicture();
      // Nothing is shown as version 0; the next picture has a version of its own.
      theBearer().changed({ ...account, picture_version: 0 });
      setHasNone(true);
      showToast({ title: say.removed });
    } catch (thrown) {
      sayFailed(thrown);
    } finally {
      setRemoving(false);
    }
  };
  const close = (): void => {
    chosen?.close();
    setChosen(null);
  };
  return (
    <div class="picture-row">
      <Avatar person={account} size={72} onMissing={() => setHasNone(true)} />
      <div class="grow">
        <div class="row wrap">
          <Button size="sm" icon={camera} onClick={() => input.current?.click()}>{hasNone ? say.choose : say.change}</Button>
          {!hasNone && <Button size="sm" look="ghost" busy={removing} onClick={() => void remove()}>{say.remove}</Button>}
        </div>
        {problem
          ? <p class="help error" role="alert"><Icon svg={warningCircleFill} size="s" />{problem}</p>
          : <p class="help">{say.help}</p>}
      </div>
      <input
        ref={input} class="sr" type="file" accept="image/*" tabIndex={-1} aria-label={say.choose}
        onChange={(event) => {
          void choose(event.currentTarget.files?.[0]);
          // The same file may be chosen again.
          event.currentTarget.value = '';
        }}
      />
      {chosen && (
        <PictureDialog
          picture={chosen}
          onSaved={(version) => {
            theBearer().changed({ ...account, picture_version: version });
            setHasNone(false);
            close();
          }}
          onClose={close}
        />
      )}
    </div>
  );
}

function Name({ account }: { account: Account }) {
  const say = accountWords;
  const [name, setName] = useState(account.name);
  const form = useForm({
    check: () => problems({ name: nameProblem(name) }),
    send: async () => {
      const changed = await changeAccount({ name });
      theBearer().changed(changed);
      setName(changed.name);
      showToast({ title: say.profile.nameSaved(changed.name) });
    },
    explain: (error) => explain(error, ['name']),
  });
  return (
    <form class="form line" noValidate onSubmit={form.submit}>
      <Field
        label={say.fields.name} name="name" autocomplete="nickname" value={name} help={say.fields.nameHelp}
        error={form.problems['name']} onValue={(value) => { setName(value); form.forget('name'); }}
      />
      {(name !== account.name || form.busy) && <FormEnd form={form} label={say.save} size="md" wide={false} />}
    </form>
  );
}
