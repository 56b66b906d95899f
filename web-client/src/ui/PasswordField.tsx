// A password: it can be shown, pasted and filled in by a password manager, and never leaves its field by itself.
import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { accountWords } from '../account_words';
import { Help } from './Field';
import { Icon } from './Icon';
import { eye, eyeSlash } from './icons';

export type PasswordFieldProps = {
  label: string;
  value: string;
  /** Which one: the present one, or one that is chosen now. */
  kind: 'current' | 'new';
  name?: string;
  help?: string | undefined;
  error?: ComponentChildren;
  autofocus?: boolean;
  onValue: (value: string) => void;
};

export function PasswordField({ label, value, kind, name = 'password', help, error, autofocus, onValue }: PasswordFieldProps) {
  const id = useId();
  const [shown, setShown] = useState(false);
  const say = accountWords.fields;
  return (
    <div class="field">
      <label class="label" for={id}>{label}</label>
      <span class="password">
        <input
          id={id}
          class="input"
          // The typings tell the kinds of input apart by more than we use.
          type={(shown ? 'text' : 'password') as 'password'}
          name={name}
          value={value}
          autocomplete={kind === 'current' ? 'current-password' : 'new-password'}
          autocapitalize="off"
          spellcheck={false}
          autofocus={autofocus}
          aria-invalid={error ? 'true' : undefined}
          aria-describedby={help || error ? `${id}-help` : undefined}
          onInput={(event) => onValue(event.currentTarget.value)}
        />
        <button class="ib" type="button" aria-label={shown ? say.hide : say.show} aria-controls={id} onClick={() => setShown(!shown)}>
          <Icon svg={shown ? eye : eyeSlash} />
        </button>
      </span>
      <Help id={`${id}-help`} help={help} error={error} />
    </div>
  );
}
