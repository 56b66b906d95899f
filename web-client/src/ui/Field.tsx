// A labelled input or select, with a line of help or an error under it. Native elements throughout.
import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import { Icon } from './Icon';
import { caretDown, warningCircleFill } from './icons';

type Common = { label: string; help?: string | undefined; error?: string | null | undefined };

export type FieldProps = Common & {
  value: string;
  type?: 'text' | 'url' | 'number' | 'color' | 'email' | 'search';
  name?: string;
  placeholder?: string;
  maxLength?: number;
  min?: number;
  max?: number;
  disabled?: boolean;
  readOnly?: boolean;
  required?: boolean;
  /** As browsers and password managers read it: `off`, `nickname`, `email`, `username`, … */
  autocomplete?: string;
  autofocus?: boolean;
  onValue?: (value: string) => void;
};

export function Field({ label, help, error, value, type = 'text', name, placeholder, maxLength, min, max, disabled, readOnly, required, autocomplete = 'off', autofocus, onValue }: FieldProps) {
  const id = useId();
  return (
    <label class="field">
      <span class="label">{label}</span>
      <input
        class="input"
        // The typings tell the kinds of input apart by more than we use.
        type={type as 'text'}
        name={name}
        value={value}
        placeholder={placeholder}
        maxLength={maxLength}
        min={min}
        max={max}
        disabled={disabled}
        readOnly={readOnly}
        required={required}
        autocomplete={autocomplete as 'off'}
        autofocus={autofocus}
        spellcheck={type === 'text' ? undefined : false}
        aria-invalid={error ? 'true' : undefined}
        aria-describedby={help || error ? id : undefined}
        onInput={(event) => onValue?.(event.currentTarget.value)}
      />
      <Help id={id} help={help} error={error} />
    </label>
  );
}

export type SelectProps = Common & {
  value: string;
  options: readonly { value: string; label: string }[];
  disabled?: boolean;
  onValue: (value: string) => void;
};

export function Select({ label, help, error, value, options, disabled, onValue }: SelectProps) {
  const id = useId();
  return (
    <label class="field">
      <span class="label">{label}</span>
      <span class="select">
        <select
          class="input"
          value={value}
          disabled={disabled}
          aria-invalid={error ? 'true' : undefined}
          aria-describedby={help || error ? id : undefined}
          onChange={(event) => onValue(event.currentTarget.value)}
        >
          {options.map((option) => <option key={option.value} value={option.value}>{option.label}</option>)}
        </select>
        <Icon svg={caretDown} size="s" />
      </span>
      <Help id={id} help={help} error={error} />
    </label>
  );
}

export type SwitchProps = { children: ComponentChildren; checked: boolean; autofocus?: boolean; onChecked: (checked: boolean) => void };

export function Switch({ children, checked, autofocus, onChecked }: SwitchProps) {
  return (
    <label class="switch">
      <input type="checkbox" role="switch" autofocus={autofocus} checked={checked} onChange={(event) => onChecked(event.currentTarget.checked)} />
      <span>{children}</span>
    </label>
  );
}

export function Help({ id, help, error }: { id: string; help: string | undefined; error: ComponentChildren }) {
  if (error) return <span id={id} class="help error"><Icon svg={warningCircleFill} size="s" />{error}</span>;
  if (help) return <span id={id} class="help">{help}</span>;
  return null;
}
