// A page of the settings menu: how fast the past is played. What is live goes as it goes.
import { rewindWords } from '../rewind_words';
import { caretLeft } from '../ui/icons';
import { Menu, MenuItem, MenuRule } from '../ui/Menu';

const SPEEDS: readonly number[] = [0.5, 0.75, 1, 1.25, 1.5, 2];

export type SpeedMenuProps = { speed: number; onSpeed: (speed: number) => void; onBack: () => void; onClose: () => void };

export function SpeedMenu({ speed, onSpeed, onBack, onClose }: SpeedMenuProps) {
  const say = rewindWords;
  return (
    <Menu label={say.speed} dark class="layer quality" onClose={onClose}>
      {SPEEDS.map((each) => (
        <MenuItem key={each} checked={speed === each} detail={each === 1 ? say.normal : undefined} onSelect={() => { onSpeed(each); onClose(); }}>{say.speeds(each)}</MenuItem>
      ))}
      <MenuRule />
      <MenuItem icon={caretLeft} onSelect={onBack}>{say.backToQuality}</MenuItem>
    </Menu>
  );
}
