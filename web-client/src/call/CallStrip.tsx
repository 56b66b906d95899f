// The call on a phone held upright: a strip below the picture.
import { CallDock } from './CallDock';
import { Faces } from './Faces';
import type { Party } from './party';
import { Standing } from './Standing';

export function CallStrip({ party }: { party: Party }) {
  const isOn = party.call.isOn.value;
  if (!isOn && !party.air.isOn.value) return null;
  return (
    <section class="call-strip">
      {isOn && party.faces.value !== 'hidden' && <Faces party={party} class="row-of-four" />}
      <div class="call-strip-row">
        <Standing party={party} />
        {isOn && <CallDock party={party} small />}
      </div>
    </section>
  );
}
