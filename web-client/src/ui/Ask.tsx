// Asks before something that cannot be taken back: the way out has the focus.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { words } from '../words';
import { Button } from './Button';
import { Dialog } from './Dialog';

export type AskProps = {
  title: string;
  line: ComponentChildren;
  /** What is done, on its button. */
  action: string;
  icon?: string;
  /** Tells by itself when it fails; the question is over either way. */
  run: () => Promise<void> | void;
  onClose: () => void;
};

export function Ask({ title, line, action, icon, run, onClose }: AskProps) {
  const [busy, setBusy] = useState(false);
  const act = async (): Promise<void> => {
    setBusy(true);
    await run();
    onClose();
  };
  return (
    <Dialog
      title={title} onClose={onClose}
      actions={(
        <>
          <Button autofocus onClick={onClose}>{words.common.cancel}</Button>
          <Button look="danger" busy={busy} {...(icon ? { icon } : {})} onClick={() => void act()}>{action}</Button>
        </>
      )}
    >
      <p class="muted">{line}</p>
    </Dialog>
  );
}
