// Buttons: with words, and with an icon alone. A link that looks like a button is a button with `href`.
import type { ComponentChildren, Ref } from 'preact';
import { Icon } from './Icon';

/** `primary` is white and appears once per view; `join` only joins people; `go` only goes live or leaves. */
export type ButtonLook = 'primary' | 'secondary' | 'ghost' | 'join' | 'go' | 'danger';

export type ButtonProps = {
  children: ComponentChildren;
  look?: ButtonLook;
  size?: 'sm' | 'md' | 'lg';
  icon?: string;
  wide?: boolean;
  disabled?: boolean;
  /** Keeps its width, shows a sliding bar and does not answer. */
  busy?: boolean;
  href?: string;
  type?: 'button' | 'submit';
  class?: string;
  autofocus?: boolean;
  /** The name that assistive technology reads, where the words alone do not say of whom or what; it begins with them. */
  label?: string;
  onClick?: (event: MouseEvent) => void;
};

export function Button({ children, look = 'secondary', size = 'md', icon, wide, disabled, busy, href, type = 'button', class: extra, autofocus, label, onClick }: ButtonProps) {
  const className = ['btn', look, size, wide ? 'wide' : '', extra ?? ''].filter(Boolean).join(' ');
  const inside = (
    <>
      {icon && <Icon svg={icon} size={size === 'sm' ? 's' : 'm'} />}
      {children}
      {busy && <span class="busy" />}
    </>
  );
  if (href !== undefined) return <a class={className} href={href} aria-label={label} onClick={onClick}>{inside}</a>;
  return (
    <button class={className} type={type} aria-label={label} disabled={disabled} aria-busy={busy ? 'true' : undefined} autofocus={autofocus} onClick={busy ? undefined : onClick}>
      {inside}
    </button>
  );
}

export type IconButtonProps = {
  icon: string;
  /** The name that assistive technology reads, and the tooltip. */
  label: string;
  /** The key that does the same, shown in the tooltip. */
  shortcut?: string | undefined;
  /** For buttons that stay on: `aria-pressed`. */
  pressed?: boolean;
  /** For buttons that open something: `aria-expanded`. */
  expanded?: boolean;
  /** Which menu or dialog opens. */
  popup?: 'menu' | 'dialog';
  /** Muted: signal colour and a slashed icon. */
  off?: boolean;
  /** Where the tooltip lies, for buttons near an edge. */
  tip?: 'start' | 'center' | 'end';
  below?: boolean;
  class?: string;
  disabled?: boolean;
  buttonRef?: Ref<HTMLButtonElement>;
  onClick?: (event: MouseEvent) => void;
};

export function IconButton({ icon, label, shortcut, pressed, expanded, popup, off, tip = 'center', below, class: extra, disabled, buttonRef, onClick }: IconButtonProps) {
  const className = ['ib', pressed || expanded ? 'on' : '', off ? 'off' : '', extra ?? ''].filter(Boolean).join(' ');
  return (
    <button
      ref={buttonRef}
      class={className}
      type="button"
      aria-label={label}
      aria-pressed={pressed}
      aria-expanded={expanded}
      aria-haspopup={popup}
      aria-keyshortcuts={shortcut}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon svg={icon} />
      <span class={`tip ${tip} ${below ? 'below' : ''}`} aria-hidden="true">
        {label}
        {/* Drawn by the style sheet: the key is a hint, not part of the button's visible name. */}
        {shortcut && <kbd data-key={shortcut} />}
      </span>
    </button>
  );
}
