// The player's two dialogs: the list of keys with its switch (WCAG 2.1.4), and what to ask the people who run the network.
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { Switch } from '../ui/Field';
import { showToast } from '../ui/Toast';
import { words } from '../words';

export function ShortcutsDialog({ on, onChange, onClose }: { on: boolean; onChange: (on: boolean) => void; onClose: () => void }) {
  const say = words.shortcuts;
  return (
    <Dialog title={say.title} onClose={onClose}>
      <Switch autofocus checked={on} onChecked={onChange}>{say.use}</Switch>
      <dl class={`keys ${on ? '' : 'unused'}`}>
        {say.list.map(([keys, what]) => (
          <div key={what}>
            <dt>{what}</dt>
            <dd>{keys.map((key) => <kbd key={key}>{key}</kbd>)}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

export function AskItDialog({ onClose }: { onClose: () => void }) {
  const say = words.askIt;
  const text = say.text(location.hostname);
  const copy = () => {
    navigator.clipboard.writeText(text).then(
      () => showToast({ title: say.copied, line: say.copiedLine }),
      // The text is on screen and can be selected by hand.
      () => showToast({ kind: 'trouble', title: words.watch.copyFailed }),
    );
    onClose();
  };
  return (
    <Dialog title={say.title} onClose={onClose} actions={<Button look="primary" autofocus onClick={copy}>{say.copy}</Button>}>
      <p class="muted">{say.line}</p>
      <blockquote class="ask">{text}</blockquote>
    </Dialog>
  );
}
