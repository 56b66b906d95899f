// What a place says when it has nothing to show: empty, failed, or nowhere. Title, one line, what to do next.
import type { ComponentChildren } from 'preact';
import { words } from '../words';
import { Button } from './Button';
import { Icon } from './Icon';
import { warningCircle } from './icons';

export type NoticeProps = { title: string; line?: string | undefined; icon?: string; actions?: ComponentChildren; /** The page's only heading. */ only?: boolean };

export function EmptyState({ title, line, icon, actions, only }: NoticeProps) {
  return (
    <div class="notice">
      {icon && <Icon svg={icon} />}
      {only ? <h1>{title}</h1> : <h2>{title}</h2>}
      {line && <p>{line}</p>}
      {actions && <div class="actions">{actions}</div>}
    </div>
  );
}

export function ErrorState({ title, line, onRetry }: { title: string; line?: string; onRetry: () => void }) {
  return (
    <div role="alert">
      <EmptyState title={title} line={line} icon={warningCircle} actions={<Button onClick={onRetry}>{words.common.tryAgain}</Button>} />
    </div>
  );
}
