// A text to be copied: shown, selectable, with a button.
import { Button, IconButton } from '../ui/Button';
import { copy, eye } from '../ui/icons';
import { showToast } from '../ui/Toast';
import { useState } from 'preact/hooks';
import { words } from '../words';

const text = words.studio;

export function ShareLink({ url }: { url: string }) {
  return <CopyField label={text.share} value={new URL(url, location.href).href} />;
}

export function CopyField({ label, value, secret, help }: { label: string; value: string; secret?: boolean; help?: string }) {
  const [shown, setShown] = useState(!secret);
  const copyIt = async (): Promise<void> => {
    // Forbidden on plain http pages other than localhost.
    try {
      await navigator.clipboard.writeText(value);
      showToast({ kind: 'done', title: text.copied });
    } catch {
      setShown(true);
      showToast({ kind: 'trouble', title: text.copyFailed });
    }
  };
  return (
    <div class="copy-field">
      <label class="field">
        <span class="label">{label}</span>
        {shown
          ? <input class="input num" readOnly type="text" value={value} onFocus={(event) => event.currentTarget.select()} />
          : <input class="input num" readOnly type="password" autocomplete="off" value={value} />}
      </label>
      {secret && <IconButton icon={eye} pressed={shown} label={shown ? text.encoder.hide : text.encoder.show} onClick={() => setShown(!shown)} />}
      <Button icon={copy} onClick={() => void copyIt()}>{text.copy}</Button>
      {help && <p class="small muted">{help}</p>}
    </div>
  );
}
