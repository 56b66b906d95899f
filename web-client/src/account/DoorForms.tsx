// The three sides of the door, for the dialog and for the pages alike.
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Button } from '../ui/Button';
import { accountWords } from '../account_words';
import type { DoorSide } from './door';
import { ForgotForm } from './ForgotForm';
import { SignInForm } from './SignInForm';
import { SignUpForm } from './SignUpForm';

export type DoorFormsProps = {
  side: DoorSide;
  onSide: (side: DoorSide) => void;
  /** Where a letter has been sent to. */
  sentTo: string | null;
  onSent: (email: string | null) => void;
};

export function DoorForms({ side, onSide, sentTo, onSent }: DoorFormsProps) {
  const [email, setEmail] = useState('');
  const id = useId();
  const say = accountWords.door;
  const whole = useRef<HTMLDivElement>(null);
  const byLink = useRef(false);
  // What was pressed is gone with the form that it belonged to: focus goes to the beginning of the next one.
  useLayoutEffect(() => {
    if (byLink.current) whole.current?.querySelector<HTMLElement>('input, .btn')?.focus();
    byLink.current = false;
  }, [side, sentTo]);
  const follow = (next: DoorSide) => () => {
    byLink.current = true;
    onSent(null);
    onSide(next);
  };
  if (side === 'forgot') {
    return (
      <div ref={whole}>
        {sentTo === null
          ? <ForgotForm email={email} onEmail={setEmail} onBack={follow('sign_in')} onSent={(to) => { byLink.current = true; onSent(to); }} />
          : <Button wide size="lg" onClick={follow('sign_in')}>{say.backToSignIn}</Button>}
      </div>
    );
  }
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
    <div ref={whole}>
      <div class="segmented" role="tablist" aria-label={say.which} onKeyDown={arrow}>
        {tab('sign_in', say.signIn)}
        {tab('sign_up', say.signUp)}
      </div>
      <div role="tabpanel" id={id} aria-labelledby={`${id}-${side}`}>
        {side === 'sign_in'
          ? <SignInForm email={email} onEmail={setEmail} onForgot={follow('forgot')} />
          : <SignUpForm email={email} onEmail={setEmail} />}
      </div>
    </div>
  );
}

/** What stands above them. */
export function doorHead(side: DoorSide, sentTo: string | null, why?: string): { title: string; line: string } {
  const say = accountWords.door;
  if (side === 'forgot' && sentTo !== null) return { title: say.sentTitle, line: say.sentLine(sentTo) };
  return side === 'forgot' ? { title: say.forgotTitle, line: say.forgotLine } : { title: say.title, line: why ?? say.line };
}
