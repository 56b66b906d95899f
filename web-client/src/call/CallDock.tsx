// What a member does about the call itself: microphone, camera, where the faces are, the rest behind a menu, and out.
import { Button, IconButton } from '../ui/Button';
import { canShareScreen } from '../lib/capture';
import {
  dotsThree, gear, gridFour, handPalm, handPalmFill, microphoneFill, microphoneSlashFill, phoneDisconnect, screencast, speakerLow, userPlus, users, videoCameraFill, videoCameraSlashFill,
} from '../ui/icons';
import { Menu, MenuItem, MenuRule } from '../ui/Menu';
import { useMenu } from '../ui/use_menu';
import { recall } from '../ui/remember';
import { callWords } from '../call_words';
import { canOpenWindow, openCallWindow } from './call_window';
import type { FacesPlace, Party } from './party';

export function CallDock({ party, small = false }: { party: Party; small?: boolean }) {
  const say = callWords.dock;
  const { call, air } = party;
  const { devices } = call;
  const layout = useMenu();
  const more = useMenu();
  const on = devices.isMicrophoneOn.value;
  const has = devices.microphone.value.kind === 'on';
  const camera = devices.camera.value.kind === 'on';
  const key = (name: string): string | undefined => (recall('shortcuts', true) ? name : undefined);
  const hold = (held: boolean) => (): void => { devices.isTalkHeld.value = held; };
  const place = (faces: FacesPlace) => (): void => { party.place(faces); layout.close(); };
  const places = (['top', 'side', 'floating', 'hidden'] as const).filter((one) => !small || one === 'top' || one === 'hidden');
  return (
    <div class={`call-dock over ${small ? 'small' : ''}`} role="toolbar" aria-label={say.label}>
      <IconButton
        icon={on && has ? microphoneFill : microphoneSlashFill} off={!on || !has} label={!has ? say.noMicrophone : on ? say.mute : say.unmute} shortcut={key('D')} tip="start"
        onClick={() => { if (has) devices.isMicrophoneOn.value = !on; else void devices.openMicrophone(); }}
      />
      {has && !on && (
        <button
          type="button" class={`btn sm talk ${devices.isTalkHeld.value ? 'held' : ''}`} aria-keyshortcuts={key('V')} aria-pressed={devices.isTalkHeld.value}
          onPointerDown={(event) => { event.currentTarget.setPointerCapture(event.pointerId); hold(true)(); }}
          onPointerUp={hold(false)} onPointerCancel={hold(false)} onLostPointerCapture={hold(false)}
          onKeyDown={(event) => { if (event.key === ' ' || event.key === 'Enter') { event.preventDefault(); hold(true)(); } }}
          onKeyUp={hold(false)} onBlur={hold(false)} onContextMenu={(event) => event.preventDefault()}
        >
          {say.talk}
        </button>
      )}
      <IconButton
        icon={camera ? videoCameraFill : videoCameraSlashFill} off={!camera} label={camera ? say.cameraOff : say.cameraOn} shortcut={key('E')}
        onClick={() => void devices.turnCamera(!camera)}
      />
      <span class="call-menu">
        <IconButton icon={gridFour} label={say.layout} popup="menu" expanded={layout.open} buttonRef={layout.button} onClick={layout.toggle} />
        {layout.open && (
          <Menu label={callWords.layoutsTitle} dark class="above" onClose={layout.close}>
            {places.map((one) => <MenuItem key={one} checked={party.faces.value === one} onSelect={place(one)}>{callWords.layouts[one]}</MenuItem>)}
            {canOpenWindow() && <MenuItem checked={party.faces.value === 'window'} onSelect={() => { void openCallWindow(party); layout.close(); }}>{callWords.layouts.window}</MenuItem>}
            <MenuRule />
            <MenuItem toggled={call.isEveryFace.value} detail={say.everyFaceLine} onSelect={() => { call.isEveryFace.value = !call.isEveryFace.value; layout.close(); }}>{say.everyFace}</MenuItem>
          </Menu>
        )}
      </span>
      <span class="call-menu">
        <IconButton icon={dotsThree} label={say.more} popup="menu" expanded={more.open} buttonRef={more.button} onClick={more.toggle} />
        {more.open && (
          <Menu label={callWords.title} dark class="above" onClose={more.close}>
            <MenuItem icon={userPlus} onSelect={() => { party.dialog.value = 'invite'; more.close(); }}>{say.invite}</MenuItem>
            {canShareScreen() && <MenuItem icon={screencast} toggled={devices.isSharing.value} onSelect={() => { void party.shareScreen(!devices.isSharing.value); more.close(); }}>{devices.isSharing.value ? say.stopSharing : say.share}</MenuItem>}
            {air.state.value.kind === 'off' && party.session.broadcast.value?.state === 'live' && (
              <MenuItem icon={air.isRaised.value ? handPalmFill : handPalm} toggled={air.isRaised.value} onSelect={() => { party.try(party.raiseHand(!air.isRaised.value)); more.close(); }}>{air.isRaised.value ? say.lower : say.raise}</MenuItem>
            )}
            <MenuItem icon={users} toggled={call.me.value?.in_step ?? false} onSelect={() => { party.try(call.setInStep(!(call.me.value?.in_step ?? false))); more.close(); }}>{callWords.step.in}</MenuItem>
            <MenuItem icon={speakerLow} toggled={party.isLowering.value} onSelect={() => { party.setLowering(!party.isLowering.value); more.close(); }}>{say.lowering}</MenuItem>
            <MenuRule />
            <MenuItem icon={gear} onSelect={() => { party.dialog.value = 'devices'; more.close(); }}>{say.settings}</MenuItem>
          </Menu>
        )}
      </span>
      <span class="sep" />
      <Button look="go" icon={phoneDisconnect} label={say.leaveLabel} onClick={() => call.leave()}>{small ? '' : say.leave}</Button>
    </div>
  );
}
