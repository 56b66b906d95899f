// Modal windows on the native <dialog>: it traps focus and gives it back. A bottom sheet on phones.
//
// A dialog is open exactly while it is rendered. What wants it closed calls `onClose`, and taking it out of the page closes it, so that state
// and page never tell different things: the browser's own `close` comes a frame late, and what is pressed in between belongs to the page again.
import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { words } from '../words';
import { IconButton } from './Button';
import { x } from './icons';

export type DialogProps = {
  title: string;
  children: ComponentChildren;
  /** Buttons, the main one last. */
  actions?: ComponentChildren;
  onClose: () => void;
};

export function Dialog({ title, children, actions, onClose }: DialogProps) {
  const id = useId();
  const modal = useModal(onClose);
  return (
    <dialog {...modal} class="dialog" aria-labelledby={id}>
      <header>
        <h1 id={id}>{title}</h1>
        <IconButton icon={x} label={words.common.close} tip="end" below onClick={onClose} />
      </header>
      {children}
      {actions && <footer>{actions}</footer>}
    </dialog>
  );
}

/** A bottom sheet with no head of its own, for menus on phones. */
export function Sheet({ label, dark, children, onClose }: { label: string; dark?: boolean; children: ComponentChildren; onClose: () => void }) {
  const modal = useModal(onClose);
  return (
    <dialog {...modal} class={`sheet ${dark ? 'dark' : ''}`} aria-label={label}>
      {children}
    </dialog>
  );
}

/** A panel from the right edge; the whole screen on phones. */
export function Drawer({ label, children, onClose }: { label: string; children: ComponentChildren; onClose: () => void }) {
  const modal = useModal(onClose);
  return (
    <dialog {...modal} class="drawer" aria-label={label}>
      {children}
    </dialog>
  );
}

function useModal(onClose: () => void) {
  const element = useRef<HTMLDialogElement>(null);
  // Before the next key: whoever types on at once types in the dialog.
  useLayoutEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      // Taking the element out of the page skips the browser's own return of focus.
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  return {
    ref: element,
    // Esc, or the way back of a phone. A file chooser inside that is left says the same, and bubbles.
    onCancel: (event: DialogEvent<Event>) => {
      if (event.target !== event.currentTarget) return;
      event.preventDefault();
      onClose();
    },
    onClick: (event: DialogEvent<MouseEvent>) => { if (isOnBackdrop(event)) onClose(); },
  };
}

type DialogEvent<E extends Event> = E & { currentTarget: HTMLDialogElement };

function isOnBackdrop(event: DialogEvent<MouseEvent>): boolean {
  if (event.target !== event.currentTarget) return false;
  const box = event.currentTarget.getBoundingClientRect();
  const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
  // A press of Enter inside reports 0, 0 and is never on the backdrop.
  return !inside && event.detail > 0;
}
