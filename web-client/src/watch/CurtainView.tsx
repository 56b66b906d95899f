// Draws a curtain over the picture, and says it once to those who cannot see it.
import type { ComponentChildren } from 'preact';
import { Button } from '../ui/Button';
import { Icon } from '../ui/Icon';
import { armchair, clock, compass, flag, play, ticket, videoSlash, wifiSlash } from '../ui/icons';
import { words } from '../words';
import type { Curtain, CurtainAction, CurtainIcon } from './curtain';

const ICONS: Record<CurtainIcon, string> = {
  clock, flag, play, ticket, no_network: wifiSlash, no_video: videoSlash, seat: armchair, lost: compass,
};

export type CurtainViewProps = { curtain: Curtain | null; onAction: (action: Exclude<CurtainAction, 'home'>) => void };

export function CurtainView({ curtain, onAction }: CurtainViewProps) {
  return (
    <>
      {/* Always there, so that a change of words inside it is announced. */}
      <p class="sr" role="status" aria-live="polite">{curtain ? `${curtain.title}. ${curtain.line}` : ''}</p>
      {curtain && (
        <div class={`curtain over ${curtain.behind}`}>
          {curtain.mark === 'progress' ? <div class="progress" /> : <Icon svg={ICONS[curtain.mark]} />}
          <h2>{curtain.title}</h2>
          <p>{curtain.line}</p>
          {curtain.actions.length > 0 && <div class="actions">{curtain.actions.map((action, index) => actionButton(action, index === 0 && curtain.mark !== 'progress', onAction))}</div>}
        </div>
      )}
    </>
  );
}

function actionButton(action: CurtainAction, main: boolean, onAction: CurtainViewProps['onAction']): ComponentChildren {
  const look = main ? 'primary' : 'secondary';
  switch (action) {
    case 'home': return <Button key={action} look={look} href="/">{words.common.backToLive}</Button>;
    case 'retry': return <Button key={action} look={look} onClick={() => onAction(action)}>{words.common.tryAgain}</Button>;
    case 'reload': return <Button key={action} look={look} onClick={() => onAction(action)}>{words.common.reload}</Button>;
    case 'replay': return <Button key={action} look={look} onClick={() => onAction(action)}>{words.states.replay.play}</Button>;
    case 'ask_it': return <Button key={action} look={look} onClick={() => onAction(action)}>{words.states.blockedNetwork.ask}</Button>;
  }
}
