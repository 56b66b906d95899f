// A menu's state, apart from the menu: the button is there before what it opens.
import { useCallback, useRef, useState } from 'preact/hooks';

/** Whether a menu is open, and the button that opens it: it has the focus again once the menu is closed. */
export function useMenu() {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const toggle = useCallback(() => setOpen((before) => !before), []);
  const close = useCallback(() => {
    setOpen(false);
    button.current?.focus({ preventScroll: true });
  }, []);
  return { open, button, toggle, close };
}
