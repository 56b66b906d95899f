// The end of a form: what went wrong as a whole, and the button, which counts down while the server asks to wait.
import { Button, type ButtonLook } from '../ui/Button';
import { Icon } from '../ui/Icon';
import { warningCircleFill } from '../ui/icons';
import { accountWords } from '../account_words';
import type { FormState } from './use_form';

export type FormEndProps = { form: FormState; label: string; look?: ButtonLook; size?: 'md' | 'lg'; wide?: boolean };

export function FormEnd({ form, label, look = 'primary', size = 'lg', wide = true }: FormEndProps) {
  const whole = form.problems['form'];
  return (
    <>
      <div role="alert">{whole && <p class="help error"><Icon svg={warningCircleFill} size="s" />{whole}</p>}</div>
      <Button type="submit" look={look} size={size} wide={wide} busy={form.busy} disabled={form.waitS > 0}>
        {form.waitS > 0 ? accountWords.waitFor(form.waitS) : label}
      </Button>
    </>
  );
}
