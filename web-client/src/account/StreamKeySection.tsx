// The key of somebody's encoder: made, shown once, replaced, deleted.
import { useState } from 'preact/hooks';
import type { StreamKey } from '../protocol';
import { Ask } from '../ui/Ask';
import { Button } from '../ui/Button';
import { formatAgo } from '../ui/format';
import { useTick } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import { copy, key as keyIcon } from '../ui/icons';
import { ErrorState } from '../ui/Notice';
import { showToast } from '../ui/Toast';
import { accountWords } from '../account_words';
import { dropStreamKey, getStreamKey, makeStreamKey } from './account_api';
import { sayFailed } from './say_failed';
import { Section } from './Section';
import { useAsked } from './use_asked';

export function StreamKeySection() {
  const say = accountWords.key;
  const { asked, again, set } = useAsked<StreamKey | null>((signal) => getStreamKey({ signal }));
  const [question, setQuestion] = useState<'replace' | 'revoke' | null>(null);
  const [busy, setBusy] = useState(false);
  const now = useTick(30_000);
  const act = async (what: () => Promise<StreamKey | null>): Promise<void> => {
    setBusy(true);
    try {
      set(await what());
    } catch (thrown) {
      sayFailed(thrown);
    } finally {
      setBusy(false);
    }
  };
  const revoke = async (): Promise<null> => {
    await dropStreamKey();
    showToast({ title: say.gone });
    return null;
  };
  const stored = asked.kind === 'there' ? asked.value : null;
  return (
    <Section id="stream-key" title={say.title} line={say.line}>
      {asked.kind === 'asking' && <div class="block row-block" />}
      {asked.kind === 'failed' && <ErrorState title={say.failed} line={accountWords.loadFailedLine} onRetry={again} />}
      {asked.kind === 'there' && !stored && (
        <div class="fact">
          <p class="grow muted">{say.none}</p>
          <Button size="sm" icon={keyIcon} busy={busy} onClick={() => void act(makeStreamKey)}>{say.make}</Button>
        </div>
      )}
      {stored && stored.key !== undefined && <Fresh value={stored.key} onDone={() => set({ created_at_ms: stored.created_at_ms })} />}
      {stored && stored.key === undefined && (
        <div class="fact">
          <Icon svg={keyIcon} />
          <p class="grow muted">
            {say.made(formatAgo(now - stored.created_at_ms))}, {stored.used_at_ms === undefined ? say.unused : say.used(formatAgo(now - stored.used_at_ms))}
          </p>
          <div class="row wrap">
            <Button size="sm" onClick={() => setQuestion('replace')}>{say.replace}</Button>
            <Button size="sm" look="ghost" onClick={() => setQuestion('revoke')}>{say.revoke}</Button>
          </div>
        </div>
      )}
      {question === 'replace' && <Ask title={say.replaceTitle} line={say.replaceLine} action={say.replace} run={() => act(makeStreamKey)} onClose={() => setQuestion(null)} />}
      {question === 'revoke' && <Ask title={say.revokeTitle} line={say.revokeLine} action={say.revoke} run={() => act(revoke)} onClose={() => setQuestion(null)} />}
    </Section>
  );
}

function Fresh({ value, onDone }: { value: string; onDone: () => void }) {
  const say = accountWords.key;
  const toClipboard = (): void => {
    navigator.clipboard.writeText(value).then(
      () => showToast({ title: say.copied }),
      () => showToast({ kind: 'trouble', title: say.copyFailed }),
    );
  };
  return (
    <div class="fresh-key" role="status">
      <p class="strong">{say.once}</p>
      <div class="row">
        <input class="input num" type="text" readOnly value={value} aria-label={say.label} onFocus={(event) => event.currentTarget.select()} />
        <Button look="primary" icon={copy} onClick={toClipboard}>{say.copy}</Button>
      </div>
      <p class="help">{say.server(location.origin)}</p>
      <Button size="sm" onClick={onDone}>{say.done}</Button>
    </div>
  );
}
