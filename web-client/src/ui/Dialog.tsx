// Modal windows on the native <dialog>: it traps focus, closes on Esc and gives focus back. A bottom sheet on phones.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
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

/** Open while it is rendered. */
export function Dialog({ title, children, actions, onClose }: DialogProps) {
  const id = useId();
  const element = useModal();
  return (
    <dialog ref={element} class="dialog" aria-labelledby={id} onClose={(event) => report(event, onClose)} onClick={(event) => closeOnBackdrop(event)}>
      <header>
        <h1 id={id}>{title}</h1>
        <IconButton icon={x} label={words.common.close} tip="end" below onClick={() => element.current?.close()} />
      </header>
      {children}
      {actions && <footer>{actions}</footer>}
    </dialog>
  );
}

/** A bottom sheet with no head of its own, for menus on phones. */
export function Sheet({ label, dark, children, onClose }: { label: string; dark?: boolean; children: ComponentChildren; onClose: () => void }) {
  const element = useModal();
  return (
    <dialog ref={element} class={`sheet ${dark ? 'dark' : ''}`} aria-label={label} onClose={(event) => report(event, onClose)} onClick={(event) => closeOnBackdrop(event)}>
      {children}
    </dialog>
  );
}

/** A panel from the right edge; the whole screen on phones. */
export function Drawer({ label, children, onClose }: { label: string; children: ComponentChildren; onClose: () => void }) {
  const element = useModal();
  return (
    <dialog ref={element} class="drawer" aria-label={label} onClose={(event) => report(event, onClose)} onClick={(event) => closeOnBackdrop(event)}>
      {children}
    </dialog>
  );
}

function useModal() {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      // Taking the element out of the page skips the browser's own return of focus.
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  return element;
}

// The browser reports a closing a little later. One that came of the dialog being taken out of the page is no news, and by then the same
// dialog may be open again.
function report(event: Event & { currentTarget: HTMLDialogElement }, onClose: () => void): void {
  if (event.currentTarget.isConnected) onClose();
}

function closeOnBackdrop(event: MouseEvent & { currentTarget: HTMLDialogElement }): void {
  if (event.target !== event.currentTarget) return;
  const box = event.currentTarget.getBoundingClientRect();
  const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
  // A press of Enter inside reports 0, 0 and is never on the backdrop.
  if (!inside && event.detail > 0) event.currentTarget.close();
}
