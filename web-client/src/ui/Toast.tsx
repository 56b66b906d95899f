// One short message at a time, bottom left: six seconds, or until closed when it offers an action.
import { signal } from '@preact/signals';
import { words } from '../words';
import { Button, IconButton } from './Button';
import { useScope } from './hooks';
import { Icon } from './Icon';
import { checkCircle, warningCircleFill, x } from './icons';

export type ToastMessage = {
  title: string;
  line?: string;
  kind?: 'done' | 'trouble';
  action?: { label: string; run: () => void };
};

const TOAST_MS = 6000;
const shown = signal<ToastMessage | null>(null);

/** Replaces whatever is shown. */
export function showToast(message: ToastMessage): void {
  shown.value = message;
}

/** Mounted once, beside the place. */
export function Toasts() {
  const message = shown.value;
  useScope((until) => {
    if (!message || message.action) return;
    const timer = setTimeout(() => { if (shown.value === message) shown.value = null; }, TOAST_MS);
    until.addEventListener('abort', () => clearTimeout(timer));
  }, [message]);
  const close = () => { shown.value = null; };
  return (
    <div class="toasts" role="status">
      {message && (
        <div class="toast">
          <Icon svg={message.kind === 'trouble' ? warningCircleFill : checkCircle} />
          <div class="grow">
            <b class="strong">{message.title}</b>
            {message.line && <p>{message.line}</p>}
          </div>
          {message.action
            ? <Button look="ghost" size="sm" onClick={() => { message.action?.run(); close(); }}>{message.action.label}</Button>
            : <IconButton icon={x} label={words.common.close} tip="end" onClick={close} />}
        </div>
      )}
    </div>
  );
}
