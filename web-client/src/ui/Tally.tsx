// The tally: the camera light with the one number this product exists for. A mark on cards, the LIVE button in the player.
import { words } from '../words';
import { formatDelay } from './format';

/** `live` with the measured delay, or `behind` with a word of its own ("8 s behind", "Reconnecting") and what a press does. */
export type TallyState = { kind: 'live'; delayMs: number | null; suffix?: string } | { kind: 'behind'; label: string; action?: string } | { kind: 'replay' };

function inside(state: TallyState) {
  switch (state.kind) {
    case 'live':
      return (
        <>
          <b>{words.tally.live}</b>
          {state.delayMs !== null && <span>{formatDelay(state.delayMs)}{state.suffix ? ` ${state.suffix}` : ''}</span>}
        </>
      );
    case 'replay':
      return <b>{words.tally.replay}</b>;
    case 'behind':
      return (
        <>
          <b>{state.label}</b>
          {state.action && <span>{state.action}</span>}
        </>
      );
  }
}

/** A mark. The caller passes a delay that changes at most once a second (`useEverySecond`). */
export function Tally({ state, small }: { state: TallyState; small?: boolean }) {
  return <span class={`tally num ${state.kind} ${small ? 'sm' : ''}`}>{inside(state)}</span>;
}

/** The LIVE button of the player. `hint` tells those who cannot see it what a press does; the changing number is never announced. */
export function TallyButton({ state, hint, onClick }: { state: TallyState; hint: string; onClick: () => void }) {
  return (
    <button class={`tally num ${state.kind}`} type="button" aria-live="off" onClick={onClick}>
      {inside(state)}
      <em class="sr">, {hint}</em>
    </button>
  );
}
