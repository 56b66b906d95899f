// Before a call: who to ring, how one looks and sounds, and in. Camera and microphone are asked for here and nowhere else.
import { useState } from 'preact/hooks';
import { openDoor } from '../account/door';
import { theBearer } from '../lib/bearer';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { Icon } from '../ui/Icon';
import { phone, warningCircleFill } from '../ui/icons';
import type { FriendsWish } from '../watch/with_friends';
import { callWords } from '../call_words';
import { DevicePanel, useDevices } from './DevicePanel';
import { FriendPicker } from './FriendPicker';
import type { Party } from './party';
import { refusalOf } from './say_refused';

export type PreJoinProps = { party: Party; wish: Exclude<FriendsWish, { kind: 'hand' }>; onClose: () => void };

export function PreJoin({ party, wish, onClose }: PreJoinProps) {
  const say = callWords.before;
  const { call } = party;
  const { devices } = call;
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  useDevices(call);
  const person = usePerson(party);
  const starts = wish.kind === 'start';
  const phase = call.phase.value;
  const busy = phase.kind === 'entering';
  const isGuest = theBearer().who.value.kind === 'guest';
  const mayEnter = !starts || !isGuest;
  const seen = devices.camera.value.kind === 'on';
  const audible = devices.microphone.value.kind === 'on';
  const close = (): void => {
    // What was opened for looking is let go again, unless somebody on air is looked at by it.
    if (!call.isOn.peek() && call.media.isIdle) devices.close();
    call.forget();
    onClose();
  };
  const enter = async (withCamera: boolean): Promise<void> => {
    const withPicture = withCamera && devices.camera.peek().kind === 'on';
    if (call.isOn.peek()) {
      // From one call into another: the first lets the devices go.
      call.leave();
      await devices.openMicrophone();
      if (withPicture) await devices.turnCamera(true);
    } else if (!withCamera) {
      await devices.turnCamera(false);
    }
    await call.enter(starts ? { kind: 'start', ring: [...chosen] } : { kind: 'join', call: wish.call, invitation: wish.invitation });
    // Nobody comes by themselves: the link is what is wanted next.
    if (starts && chosen.size === 0 && call.isIn.peek()) party.dialog.value = 'invite';
  };
  const main = starts ? say.call(chosen.size) : seen || audible ? say.enter : say.listen;
  return (
    <Dialog
      title={starts ? say.start : say.join}
      onClose={close}
      actions={mayEnter
        ? (
          <>
            {seen && <Button disabled={busy} onClick={() => void enter(false)}>{starts ? say.startWithoutCamera : say.withoutCamera}</Button>}
            <Button look="join" icon={phone} autofocus busy={busy} onClick={() => void enter(true)}>{main}</Button>
          </>
        )
        : <Button look="primary" onClick={() => { close(); openDoor('sign_in'); }}>{say.signIn}</Button>}
    >
      <p class="muted">{starts ? say.startLine : say.joinLine}</p>
      <DevicePanel devices={devices} person={person} />
      {starts && (isGuest
        ? <p class="muted small">{say.guest}</p>
        : <><FriendPicker chosen={chosen} onChosen={setChosen} /><p class="muted small">{callWords.invite.afterStart}</p></>)}
      {phase.kind === 'refused' && (
        <p class="help error" role="alert">
          <Icon svg={warningCircleFill} size="s" />
          {refusalOf(phase.error) ?? callWords.refused.other}
        </p>
      )}
      {busy && <p class="sr" role="status">{say.entering}</p>}
    </Dialog>
  );
}

/** Who this person is here, with their picture where they have one. */
export function usePerson(party: Party): { id: string; name: string; picture_version: number } {
  const who = theBearer().who.value;
  const user = party.session.user.value;
  const version = who.kind === 'account' && who.known.id === user?.id ? who.known.picture_version : 0;
  return { id: user?.id ?? '', name: user?.name ?? callWords.you, picture_version: version };
}
