// The player: the picture edge to edge, its controls, and everything that lies over it. Draws what the session says; knows no transport.
import type { ReadonlySignal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { posterUrl } from '../lib/api';
import type { ChatPanelProps } from '../chat/ChatPanel';
import { loadPanel } from '../chat/load_panel';
import type { Chat } from '../chat/use_chat';
import { titleOf } from '../home/Card';
import type { WatchSession } from '../playback/session';
import { OFFERED } from '../reactions/kinds';
import { Button } from '../ui/Button';
import { formatDelay } from '../ui/format';
import { useEverySecond, useMedia, useScope, useTick } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import { caretLeft, play as playIcon, speakerHigh, speakerSlash } from '../ui/icons';
import { useMenu } from '../ui/use_menu';
import { Later, Over } from '../ui/Over';
import { recall, remember } from '../ui/remember';
import type { TallyState } from '../ui/Tally';
import { words } from '../words';
import { Controls } from './Controls';
import { CurtainView } from './CurtainView';
import type { QualityMenuProps } from './QualityMenu';
import { ScoreBug } from './ScoreBug';
import { curtainOf } from './curtain';
import { useDrawn } from './drawn';
import { toggleFullScreen, useFullScreen } from './full_screen';
import { type KeyAction, actionOf, keyTargetOf, stepOf } from './keys';
import type { MatchNow } from './match';
import type { Playback } from './playback';
import { useChrome } from './use_chrome';
import type { WithFriends } from './with_friends';

const loadCallLayer = () => import('../call/CallLayer').then((module) => module.CallLayer);
const loadGuest = () => import('../call/GuestPicture').then((module) => module.GuestPicture);
const loadSeekBar = () => import('./Rewind').then((module) => module.SeekBar);
const loadBehind = () => import('./BehindNote').then((module) => module.BehindNote);
const loadHeat = () => import('../reactions/HeatLine').then((module) => module.HeatLine);
const loadRising = () => import('../reactions/Rising').then((module) => module.Rising);
// What opens on a press is not part of the first page.
const loadMenu = () => import('./QualityMenu').then((module) => module.QualityMenu);
const loadStats = () => import('./StatsOverlay').then((module) => module.StatsOverlay);
const loadShortcuts = () => import('./Dialogs').then((module) => module.ShortcutsDialog);
const loadAskIt = () => import('./Dialogs').then((module) => module.AskItDialog);

/** From here on the tally turns amber: the picture is no longer what this product promises. */
const BEHIND_MS = 3_000;

export type PlayerProps = { session: WatchSession; playback: Playback; friends: WithFriends; match: ReadonlySignal<MatchNow>; chat: Chat; theatre: boolean; onTheatre: (on: boolean) => void };

export function Player({ session, playback, friends, match, chat, theatre, onTheatre }: PlayerProps) {
  const frame = useRef<HTMLElement>(null);
  // Two elements, one over the other, for as long as the player is there: which one is in front is `playback`'s business.
  const video = useRef<HTMLVideoElement>(null);
  const hlsVideo = useRef<HTMLVideoElement>(null);
  const menu = useMenu();
  const phone = useMedia('(max-width: 767px)');
  const [stats, setStats] = useState(false);
  const [dialog, setDialog] = useState<'shortcuts' | 'ask_it' | null>(null);
  const [keysOn, setKeysOn] = useState(() => recall('shortcuts', true));
  const fullScreen = useFullScreen();

  const phase = session.phase.value;
  const broadcast = session.broadcast.value;
  const listening = session.quality.value.mode === 'audio_only';
  const paused = playback.paused.value;
  const droppedAt = useDroppedAt(phase.kind === 'reconnecting', match);
  const curtain = curtainOf(phase, broadcast, droppedAt);
  const delay = useDelay(session, paused);
  const onHls = session.carrier.value.shown === 'hls';
  const tally: TallyState | null = phase.kind === 'playing' && session.place.value === 'past' && broadcast?.state === 'ended' ? { kind: 'replay' } : tallyOf(phase.kind, paused, onHls, delay, droppedAt);
  const chrome = useChrome(menu.open || stats || paused || curtain !== null);
  // Nothing to play, pause or make louder: no dead buttons.
  const controllable = phase.kind === 'playing' || phase.kind === 'reconnecting' || phase.kind === 'connecting' || phase.kind === 'waiting';
  const poster = broadcast && posterUrl(broadcast);
  const party = friends.party.value;
  // A phone held upright has them below the picture.
  const withCall = party !== null && (!phone || fullScreen);
  const beside = withCall && friends.isOn && party.faces.value === 'side';
  // HLS carries the guest within its picture; the past is what it was.
  const guest = !onHls && curtain === null ? (broadcast?.guest ?? null) : null;

  useScope((until) => {
    const [webrtc, hls] = [video.current, hlsVideo.current];
    if (!webrtc || !hls) return;
    // The stream first: an element with nothing to play is not asked to.
    session.attach({ webrtc, hls }, playback, until);
    playback.attach({ webrtc, hls }, until);
  }, [session, playback]);

  useDrawn(video, 'contain', session);
  // What has been stopped for a while goes on where it stopped.
  const toggle = () => {
    if (playback.paused.value && session.resume()) playback.goesOn();
    else playback.toggle();
  };
  useMediaSession(broadcast ? titleOf(broadcast) : null, playback, toggle);

  const goFullScreen = () => void toggleFullScreen(frame.current, playback.video);
  const goLive = () => {
    session.goLive();
    void playback.play();
  };

  const act = (action: KeyAction, key: string): void => {
    switch (action) {
      case 'play': toggle(); break;
      case 'mute': playback.toggleMuted(); break;
      case 'louder': playback.louder(); break;
      case 'quieter': playback.quieter(); break;
      case 'live': goLive(); break;
      case 'back_5': case 'forward_5': case 'back_10': case 'forward_10': session.step(stepOf(action) ?? 0); break;
      case 'start': session.playFromStart(); break;
      case 'full_screen': goFullScreen(); break;
      case 'theatre': if (!fullScreen) onTheatre(!theatre); break;
      case 'picture_in_picture': playback.togglePictureInPicture(); break;
      case 'stats': setStats((on) => !on); break;
      case 'list': setDialog('shortcuts'); break;
      case 'chat': chat.write(); break;
      case 'show_chat': if (fullScreen) chat.showOver(!chat.over); else chat.show(!chat.shown); break;
      case 'react': {
        const kind = OFFERED[Number(key) - 1];
        if (kind) chat.room.react(kind);
        break;
      }
      case 'friends': friends.press(); break;
      // The call hears its own keys, where there is one.
      case 'microphone': case 'camera': case 'talk': break;
      case 'close': if (menu.open) menu.close(); else if (stats) setStats(false); else if (!fullScreen && theatre) onTheatre(false); break;
    }
  };
  // Read at the moment of the key: effects run after the page is drawn, and a key pressed before that must not meet what was true before.
  const latest = useRef({ act, keysOn });
  latest.current = { act, keysOn };

  useScope((until) => {
    addEventListener('keydown', (event) => {
      // Esc closes what lies on top, whatever the switch says: it is not a character (WCAG 2.1.4).
      if (event.defaultPrevented || (!latest.current.keysOn && event.key !== 'Escape')) return;
      const action = actionOf(event, keyTargetOf(event.target));
      const moves = action !== null && (action === 'start' || stepOf(action) !== null);
      if (!action || (moves && !session.canRewind) || (event.repeat && !moves && action !== 'louder' && action !== 'quieter' && action !== 'react')) return;
      event.preventDefault();
      latest.current.act(action, event.key);
      if (action !== 'react' && action !== 'chat') chrome.stir();
    }, { signal: until });
  }, [session]);

  return (
    <section
      ref={frame}
      class={`player ${fullScreen && chat.over ? 'with-chat' : ''} ${chrome.shown ? '' : 'quiet'} ${curtain?.behind ?? ''} ${listening ? 'listening' : ''} ${controllable ? '' : 'bare'} ${beside ? 'faces-beside' : ''} ${guest ? `guest-${guest.layout}` : ''}`}
      aria-label={words.watch.player}
      {...chrome.listeners}
    >
      {[video, hlsVideo].map((element, index) => (
        <video
          key={index}
          ref={element}
          playsInline
          disableRemotePlayback
          aria-label={words.watch.video(broadcast ? titleOf(broadcast) : words.product)}
          onClick={(event) => chrome.pressed(event, toggle)}
          onDblClick={goFullScreen}
        />
      ))}
      {guest && <Later load={loadGuest} properties={{ session, playback, guest }} />}
      {poster && curtain && curtain.behind === 'poster' && <img class="backdrop" src={poster} alt="" />}
      {listening && !curtain && <div class="curtain over none"><Icon svg={speakerHigh} /><h2>{words.watch.soundOnly}</h2><p>{words.watch.soundOnlyLine}</p></div>}
      <CurtainView
        curtain={curtain}
        onAction={(action) => {
          if (action === 'retry') session.retry();
          else if (action === 'replay') session.playFromStart();
          else if (action === 'reload') location.reload();
          else setDialog('ask_it');
        }}
      />
      <Later load={loadRising} properties={{ room: chat.room }} />
      {fullScreen && chat.over && <div class="over-chat"><Later<ChatPanelProps> load={loadPanel} properties={{ room: chat.room, broadcast, input: chat.input, onHide: () => chat.showOver(false) }} /></div>}
      {broadcast?.teams && <ScoreBug teams={broadcast.teams} match={match.value} />}
      <div class="layer back over"><a class="ib" href="/" aria-label={words.watch.back}><Icon svg={caretLeft} size="l" /></a></div>
      {stats && controllable && <Over load={loadStats} properties={{ stats: session.stats.value, onClose: () => setStats(false) }} onFailed={() => setStats(false)} />}
      {curtain === null && playback.held.value && (
        <div class="layer middle over"><Button look="primary" size="lg" icon={playIcon} onClick={() => void playback.play()}>{words.watch.tapToPlay}</Button></div>
      )}
      {curtain === null && !paused && playback.silenced.value && broadcast?.has_audio !== false && (
        <div class="layer sound over"><Button look="primary" size="lg" icon={speakerSlash} onClick={() => playback.bringSound()}>{words.watch.tapForSound}</Button></div>
      )}
      {withCall && <Later load={loadCallLayer} properties={{ party }} />}
      {!phone && onHls && <Later load={loadBehind} properties={{ session }} />}
      {controllable && (
        <div class="layer controls over">
          {session.canRewind && broadcast && phase.kind !== 'waiting'
            ? <Later load={loadSeekBar} properties={{ session, room: chat.room, broadcast }} />
            : <Later load={loadHeat} properties={{ room: chat.room, broadcast }} />}
          <Controls
            session={session}
            onToggle={toggle}
            playback={playback}
            tally={tally}
            ready={phase.kind === 'playing' || phase.kind === 'reconnecting'}
            settingsOpen={menu.open}
            theatre={theatre}
            fullScreen={fullScreen}
            keys={keysOn}
            chat={chat}
            friends={friends}
            settingsButton={menu.button}
            onSettings={menu.toggle}
            onLive={goLive}
            onTheatre={() => onTheatre(!theatre)}
            onFullScreen={goFullScreen}
          />
        </div>
      )}
      {menu.open && (
        <Over<QualityMenuProps>
          load={loadMenu}
          properties={{
            layers: session.layers.value,
            layer: session.layer.value,
            choice: session.quality.value,
            hasAudio: broadcast?.has_audio ?? false,
            statsOn: stats,
            speed: session.place.value === 'past' ? session.speed.value : null,
            onSpeed: (speed) => session.setSpeed(speed),
            pin: session.pin.value,
            onPin: (pin) => session.setPin(pin),
            onChoice: (choice) => session.setQuality(choice),
            onStats: () => setStats((on) => !on),
            hand: broadcast?.state === 'live' ? { raised: friends.isHandRaised, toggle: () => friends.raiseHand() } : null,
            onShortcuts: () => setDialog('shortcuts'),
            onClose: menu.close,
          }}
          onFailed={menu.close}
        />
      )}
      {dialog === 'shortcuts' && (
        <Over
          load={loadShortcuts}
          properties={{ on: keysOn, onChange: (on: boolean) => { setKeysOn(on); remember('shortcuts', on); }, onClose: () => setDialog(null) }}
          onFailed={() => setDialog(null)}
        />
      )}
      {dialog === 'ask_it' && <Over load={loadAskIt} properties={{ onClose: () => setDialog(null) }} onFailed={() => setDialog(null)} />}
    </section>
  );
}

/** How far behind the action the picture on screen is, ms, at most once a second. A frozen picture falls behind as time goes on. */
function useDelay(session: WatchSession, paused: boolean): number | null {
  const live = useEverySecond(session.latencyMs.value);
  useTick(1000, paused);
  if (!paused) return live;
  const media = session.mediaNow();
  const server = session.serverNow();
  return media === null || server === null ? null : server - media;
}

function tallyOf(phase: string, paused: boolean, onHls: boolean, delayMs: number | null, droppedAt: string | null): TallyState | null {
  if (phase === 'reconnecting') return { kind: 'behind', label: words.tally.holding, ...(droppedAt ? { action: droppedAt } : {}) };
  if (phase !== 'playing') return null;
  if (paused) return { kind: 'behind', label: delayMs === null ? words.tally.paused : words.tally.behind(formatDelay(delayMs)), action: words.tally.goLive };
  // The delayed stream is called so however short its delay is.
  if (delayMs !== null && (onHls || delayMs >= BEHIND_MS)) return { kind: 'behind', label: words.tally.behind(formatDelay(delayMs)), action: words.tally.goLive };
  return { kind: 'live', delayMs };
}

/** The match clock when the picture stopped, kept until it is back. */
function useDroppedAt(dropped: boolean, match: ReadonlySignal<MatchNow>): string | null {
  const at = useRef<string | null>(null);
  const was = useRef(false);
  if (dropped && !was.current) at.current = match.peek().clock?.text ?? null;
  was.current = dropped;
  return dropped ? at.current : null;
}

/** What lock screens and media keys show and press. */
function useMediaSession(title: string | null, playback: Playback, toggle: () => void): void {
  const latest = useRef(toggle);
  latest.current = toggle;
  useEffect(() => {
    if (!title || !('mediaSession' in navigator)) return;
    navigator.mediaSession.metadata = new MediaMetadata({ title, artist: words.product });
    navigator.mediaSession.setActionHandler('play', () => { if (playback.paused.value) latest.current(); });
    navigator.mediaSession.setActionHandler('pause', () => { if (!playback.paused.value) playback.toggle(); });
    return () => {
      navigator.mediaSession.metadata = null;
      navigator.mediaSession.setActionHandler('play', null);
      navigator.mediaSession.setActionHandler('pause', null);
    };
  }, [title, playback]);
}
