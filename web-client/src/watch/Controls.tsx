// The control row over the picture. Left: play, volume, tally. Right: settings, picture in picture, theatre, full screen.
import type { Ref } from 'preact';
import type { Chat } from '../chat/use_chat';
import { IconButton } from '../ui/Button';
import {
  chatCircle, chatCircleFill, cornersIn, cornersOut, gear, gearFill, pause, pictureInPicture, pictureInPictureFill, play, rectangle, rectangleFill, speakerHigh, speakerLow,
  speakerSlash, videoCamera, videoCameraFill,
} from '../ui/icons';
import { Later } from '../ui/Over';
import { Tally, TallyButton, type TallyState } from '../ui/Tally';
import type { WatchSession } from '../playback/session';
import { words } from '../words';
import type { Playback } from './playback';
import type { WithFriends } from './with_friends';

const loadBack = () => import('./Rewind').then((module) => module.BackButton);
const loadTime = () => import('./Rewind').then((module) => module.TimeShown);

export type ControlsProps = {
  session: WatchSession;
  playback: Playback;
  tally: TallyState | null;
  /** There is (or was a moment ago) a picture: before that only what will matter then is shown. */
  ready: boolean;
  settingsOpen: boolean;
  theatre: boolean;
  fullScreen: boolean;
  /** Whether single keys act, for the tooltips. */
  keys: boolean;
  chat: Chat;
  friends: WithFriends;
  settingsButton: Ref<HTMLButtonElement>;
  onSettings: () => void;
  onLive: () => void;
  onTheatre: () => void;
  onFullScreen: () => void;
  onToggle: () => void;
};

export function Controls({ session, playback, tally, ready, settingsOpen, theatre, fullScreen, keys, chat, friends, settingsButton, onSettings, onLive, onTheatre, onFullScreen, onToggle }: ControlsProps) {
  const say = words.watch;
  const paused = playback.paused.value;
  const silent = playback.muted.value || playback.silenced.value;
  const volume = playback.volume.value;
  const key = (name: string) => (keys ? name : undefined);
  return (
    <div class="bar">
      {ready && <IconButton icon={paused ? play : pause} label={paused ? say.play : say.pause} shortcut={key('Space')} tip="start" onClick={onToggle} />}
      {ready && session.canRewind && <Later load={loadBack} properties={{ session, shortcut: key('J') }} />}
      <IconButton
        icon={silent || volume === 0 ? speakerSlash : volume < 0.5 ? speakerLow : speakerHigh}
        label={silent ? say.unmute : say.mute}
        shortcut={key('M')}
        tip={ready ? 'center' : 'start'}
        onClick={() => playback.toggleMuted()}
      />
      <input
        class="volume"
        type="range"
        min="0"
        max="100"
        step="1"
        aria-label={say.volume}
        aria-valuetext={`${Math.round(silent ? 0 : volume * 100)} %`}
        value={silent ? 0 : Math.round(volume * 100)}
        style={{ '--at': `${silent ? 0 : volume * 100}%` }}
        onInput={(event) => playback.setVolume(event.currentTarget.valueAsNumber / 100)}
      />
      {tally?.kind === 'replay' && <Tally state={tally} />}
      {tally && tally.kind !== 'replay' && <TallyButton state={tally} hint={tally.kind === 'behind' ? say.goLiveButton : say.liveButton} onClick={onLive} />}
      {ready && session.canRewind && <Later load={loadTime} properties={{ session }} />}
      <span class="grow" />
      {/* Only where the panel's own button, or the one that brings it back, is out of sight. */}
      {fullScreen
        ? <IconButton icon={chat.over ? chatCircleFill : chatCircle} label={chat.over ? words.chat.hide : words.chat.show} shortcut={key('H')} pressed={chat.over} onClick={() => chat.showOver(!chat.over)} />
        : <IconButton class="chat-button" icon={chat.shown ? chatCircleFill : chatCircle} label={chat.shown ? words.chat.hide : words.chat.show} shortcut={key('H')} pressed={chat.shown} onClick={() => chat.show(!chat.shown)} />}
      <IconButton icon={friends.isOn ? videoCameraFill : videoCamera} label={friends.isOn ? say.inCall : say.withFriends} shortcut={key('W')} pressed={friends.isOn} onClick={() => friends.press()} />
      {ready && (
        <IconButton icon={settingsOpen ? gearFill : gear} label={say.settings} expanded={settingsOpen} popup="menu" buttonRef={settingsButton} onClick={onSettings} />
      )}
      {ready && playback.canPictureInPicture && (
        <IconButton
          class="wide-only"
          icon={playback.inPictureInPicture.value ? pictureInPictureFill : pictureInPicture}
          label={say.pictureInPicture}
          shortcut={key('P')}
          pressed={playback.inPictureInPicture.value}
          onClick={() => playback.togglePictureInPicture()}
        />
      )}
      {!fullScreen && (
        <IconButton class="wide-only theatre-button" icon={theatre ? rectangleFill : rectangle} label={theatre ? say.leaveTheatre : say.theatre} shortcut={key('T')} tip="end" onClick={onTheatre} />
      )}
      <IconButton icon={fullScreen ? cornersIn : cornersOut} label={fullScreen ? say.leaveFullScreen : say.fullScreen} shortcut={key('F')} tip="end" onClick={onFullScreen} />
    </div>
  );
}
