// The three sides of the door, for the dialog and for the pages alike.
import { useId, useState } from 'preact/hooks';
import { words } from '../words';
import type { DoorSide } from './door';
import { ForgotForm } from './ForgotForm';
import { SignInForm } from './SignInForm';
import { SignUpForm } from './SignUpForm';

export function DoorForms({ side, onSide }: { side: DoorSide; onSide: (side: DoorSide) => void }) {
  const [email, setEmail] = useState('');
  const id = useId();
  const say = words.account.door;
  if (side === 'forgot') return <ForgotForm email={email} onEmail={setEmail} onBack={() => onSide('sign_in')} />;
  const tab = (which: 'sign_in' | 'sign_up', label: string) => (
    <button
      type="button" role="tab" id={`${id}-${which}`} aria-selected={side === which} aria-controls={id} tabIndex={side === which ? 0 : -1}
      onClick={() => onSide(which)}
    >
      {label}
    </button>
  );
  const arrow = (event: KeyboardEvent & { currentTarget: HTMLElement }): void => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    event.preventDefault();
    const other = side === 'sign_in' ? 'sign_up' : 'sign_in';
    onSide(other);
    event.currentTarget.querySelector<HTMLElement>(`#${CSS.escape(`${id}-${other}`)}`)?.focus();
  };
  return (
    <>
      <div class="segmented" role="tablist" aria-label={say.which} onKeyDown={arrow}>
        {tab('sign_in', say.signIn)}
        {tab('sign_up', say.signUp)}
      </div>
      <div role="tabpanel" id={id} aria-labelledby={`${id}-${side}`}>
        {side === 'sign_in'
          ? <SignInForm email={email} onEmail={setEmail} onForgot={() => onSide('forgot')} />
          : <SignUpForm email={email} onEmail={setEmail} />}
      </div>
    </>
  );
}

/** What stands above them. */
export function doorHead(side: DoorSide, why?: string): { title: string; line: string } {
  const say = words.account.door;
  return side === 'forgot' ? { title: say.forgotTitle, line: say.forgotLine } : { title: say.title, line: why ?? say.line };
}
