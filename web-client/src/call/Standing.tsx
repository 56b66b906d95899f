// How it stands with the match among friends, in a chip or two: in step or not, lowered for whom, on air.
import { Button } from '../ui/Button';
import { Icon } from '../ui/Icon';
import { broadcastFill, speakerLow, users } from '../ui/icons';
import { callWords } from '../call_words';
import type { OnAir } from './on_air';
import type { Party } from './party';

export function Standing({ party }: { party: Party }) {
  const { call, air } = party;
  const say = callWords.step;
  const inStep = call.me.value?.in_step ?? false;
  const isLost = call.isOn.value && (call.phase.value.kind === 'away' || party.session.client.state.value.kind !== 'open');
  const loweredFor = party.loweredFor.value;
  return (
    <div class="standing">
      {call.isOn.value && (
        <button
          type="button" class={`chip step ${inStep ? 'in' : 'out'}`} aria-pressed={inStep} title={inStep ? say.inDo : say.outDo}
          disabled={!call.isIn.value} onClick={() => party.try(call.setInStep(!inStep))}
        >
          <Icon svg={users} size="s" /><span class="step-word">{inStep ? say.in : say.out}</span>
        </button>
      )}
      {isLost && <span class="chip" role="status">{callWords.face.reconnecting}</span>}
      {loweredFor !== null && <span class="chip lowered"><Icon svg={speakerLow} size="s" /><span class="clip">{callWords.lowered(loweredFor)}</span></span>}
      {air.isOn.value && <AirChip air={air} />}
    </div>
  );
}

function AirChip({ air }: { air: OnAir }) {
  const say = callWords.air;
  const isLeaving = air.state.value.kind === 'leaving';
  return (
    <span class="chip air" role="status">
      <Icon svg={broadcastFill} size="s" />
      <b>{isLeaving ? say.leaving : air.isSeen.value ? say.on : say.going}</b>
      <Button size="sm" look="go" busy={isLeaving} onClick={() => air.leave()}>{say.leave}</Button>
    </span>
  );
}
