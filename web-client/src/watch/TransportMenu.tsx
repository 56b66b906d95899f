// The second page of the settings menu: how the picture gets here. Automatic is right for nearly everybody.
import type { Pin } from '../playback/transport';
import { caretLeft } from '../ui/icons';
import { Menu, MenuItem, MenuRule } from '../ui/Menu';
import { words } from '../words';

const PINS: readonly Pin[] = ['auto', 'webrtc', 'hls'];

export type TransportMenuProps = { pin: Pin; onPin: (pin: Pin) => void; onBack: () => void; onClose: () => void };

export function TransportMenu({ pin, onPin, onBack, onClose }: TransportMenuProps) {
  const say = words.transport;
  return (
    <Menu label={say.title} dark class="layer quality" onClose={onClose}>
      {PINS.map((each) => (
        <MenuItem key={each} checked={pin === each} detail={say.details[each]} onSelect={() => { onPin(each); onClose(); }}>{say.names[each]}</MenuItem>
      ))}
      <MenuRule />
      <MenuItem icon={caretLeft} onSelect={onBack}>{say.back}</MenuItem>
    </Menu>
  );
}
