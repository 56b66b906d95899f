// The quality menu: automatic with the layer shown now, one row per layer, sound only; then the statistics and the list of keys.
import type { LayerView, QualityChoice } from '../protocol';
import type { LayerPosition } from '../lib/viewer_state';
import { formatBitrate, formatLayer } from '../ui/format';
import { useState } from 'preact/hooks';
import type { Pin } from '../playback/transport';
import { useMedia } from '../ui/hooks';
import { broadcast as broadcastIcon, chartLine, gauge, handPalm, keyboard } from '../ui/icons';
import { Menu, MenuItem, MenuRule } from '../ui/Menu';
import { rewindWords } from '../rewind_words';
import { words } from '../words';
import { SpeedMenu } from './SpeedMenu';
import { TransportMenu } from './TransportMenu';

export type QualityMenuProps = {
  layers: readonly LayerView[];
  layer: LayerPosition;
  choice: QualityChoice;
  hasAudio: boolean;
  statsOn: boolean;
  onChoice: (choice: QualityChoice) => void;
  pin: Pin;
  onPin: (pin: Pin) => void;
  /** How fast the past is played; `null`: the picture is live. */
  speed: number | null;
  onSpeed: (speed: number) => void;
  onStats: () => void;
  /** Asks the broadcaster to come on air, or no longer; `null`: there is nothing to come to. */
  hand: { raised: boolean; toggle: () => void } | null;
  onShortcuts: () => void;
  onClose: () => void;
};

export function QualityMenu({ layers, layer, choice, hasAudio, statsOn, pin, onPin, speed, onSpeed, onChoice, onStats, hand, onShortcuts, onClose }: QualityMenuProps) {
  // A finger has no keys to be reminded of.
  const keys = useMedia('(hover: hover)');
  const [page, setPage] = useState<'quality' | 'transport' | 'speed'>('quality');
  const nameOf = (spatial: number | null) => {
    const found = layers.find((candidate) => candidate.spatial === spatial);
    return found ? formatLayer(found) : null;
  };
  const now = nameOf(layer.current);
  const target = layer.target !== layer.current ? nameOf(layer.target) : null;
  const going = target ? words.quality.moving(target) : now ? words.quality.now(now) : undefined;
  const pick = (next: QualityChoice) => () => { onChoice(next); onClose(); };
  const chosen = (spatial: number) => choice.mode === 'layer' && choice.spatial === spatial;
  if (page === 'transport') return <TransportMenu pin={pin} onPin={onPin} onBack={() => setPage('quality')} onClose={onClose} />;
  if (page === 'speed' && speed !== null) return <SpeedMenu speed={speed} onSpeed={onSpeed} onBack={() => setPage('quality')} onClose={onClose} />;
  return (
    <Menu label={words.quality.title} dark class="layer quality" onClose={onClose}>
      <MenuItem checked={choice.mode === 'auto'} detail={choice.mode === 'auto' ? going : undefined} onSelect={pick({ mode: 'auto' })}>{words.quality.auto}</MenuItem>
      {[...layers].reverse().filter((each) => each.active || chosen(each.spatial)).map((each) => (
        <MenuItem
          key={each.spatial}
          checked={chosen(each.spatial)}
          // A fixed choice that is not (yet) met says what is really shown. A rate comes with the first second of the layer.
          detail={chosen(each.spatial) && layer.current !== null && layer.current !== each.spatial ? going : each.bitrate_bps > 0 ? formatBitrate(each.bitrate_bps) : undefined}
          onSelect={pick({ mode: 'layer', spatial: each.spatial })}
        >
          {formatLayer(each)}
        </MenuItem>
      ))}
      {hasAudio && <MenuItem checked={choice.mode === 'audio_only'} onSelect={pick({ mode: 'audio_only' })}>{words.quality.soundOnly}</MenuItem>}
      <MenuRule />
      {speed !== null && <MenuItem icon={gauge} detail={rewindWords.speeds(speed)} onSelect={() => setPage('speed')}>{rewindWords.speed}</MenuItem>}
      <MenuItem icon={broadcastIcon} detail={words.transport.names[pin]} onSelect={() => setPage('transport')}>{words.transport.title}</MenuItem>
      <MenuItem toggled={statsOn} icon={chartLine} detail={keys ? <kbd>I</kbd> : undefined} onSelect={() => { onStats(); onClose(); }}>{words.quality.stats}</MenuItem>
      {hand && <MenuItem icon={handPalm} toggled={hand.raised} onSelect={() => { hand.toggle(); onClose(); }}>{words.watch.raiseHand}</MenuItem>}
      {keys && <MenuItem icon={keyboard} detail={<kbd>?</kbd>} onSelect={() => { onClose(); onShortcuts(); }}>{words.quality.shortcuts}</MenuItem>}
    </Menu>
  );
}
