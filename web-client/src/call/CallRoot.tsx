// A call on the watch page, apart from where its faces are: makes it, plays the voices, hears the keys, tells what happens, opens the dialogs.
import './call.css';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { WatchSession } from '../playback/session';
import { useScope } from '../ui/hooks';
import { recall } from '../ui/remember';
import { showToast } from '../ui/Toast';
import { actionOf, keyTargetOf } from '../watch/keys';
import type { Playback } from '../watch/playback';
import type { WithFriends } from '../watch/with_friends';
import { callWords } from '../call_words';
import type { CallPlay } from '../protocol';
import { AirDialog } from './AirDialog';
import type { CallNews } from './call_news';
import { DevicesDialog } from './DevicesDialog';
import { InviteDialog } from './InviteDialog';
import { Party } from './party';
import { PreJoin } from './PreJoin';
import { sayRefused } from './say_refused';
import { Voices } from './Voices';

export type CallRootProps = { friends: WithFriends; session: WatchSession; playback: Playback; life: AbortSignal };

export function CallRoot({ friends, session, playback, life }: CallRootProps) {
  const party = useMemo(() => {
    const made = friends.party.peek() ?? new Party(session, playback, friends.askedOnAir.peek(), life);
    return made;
  }, [friends, session]);
  useEffect(() => { friends.party.value = party; }, [party]);
  const { call, air } = party;
  const wish = friends.wish.value;
  const phase = call.phase.value;

  useEffect(() => {
    if (wish?.kind !== 'hand') return;
    party.try(party.raiseHand(true));
    friends.wish.value = null;
  }, [wish]);
  // Whoever has got in no longer wishes it; whoever is in already has it.
  useEffect(() => { if (phase.kind === 'in') friends.wish.value = null; }, [phase.kind]);
  // Another call than this one is a wish as well.
  const isThere = call.isOn.value && (wish?.kind !== 'join' || wish.call === call.view.value?.id);
  useCallKeys(party);
  useNews(party);

  return (
    <>
      <Voices call={call} />
      {wish && wish.kind !== 'hand' && !isThere && (
        <PreJoin key={wish.kind === 'join' ? wish.call : 'start'} party={party} wish={wish} onClose={() => { friends.wish.value = null; }} />
      )}
      {party.dialog.value === 'invite' && call.isOn.value && <InviteDialog party={party} onClose={() => { party.dialog.value = null; }} />}
      {party.dialog.value === 'devices' && call.isOn.value && <DevicesDialog party={party} onClose={() => { party.dialog.value = null; }} />}
      {(air.state.value.kind === 'asked' || air.state.value.kind === 'going') && <AirDialog party={party} />}
    </>
  );
}

/** D and E switch, V is held. The player's own keys are the player's. */
function useCallKeys({ call }: Party): void {
  useScope((until) => {
    const { devices } = call;
    addEventListener('keydown', (event) => {
      if (event.repeat || !call.isOn.peek() || !recall('shortcuts', true)) return;
      switch (actionOf(event, keyTargetOf(event.target))) {
        case 'microphone': devices.isMicrophoneOn.value = !devices.isMicrophoneOn.value; break;
        case 'camera': void devices.turnCamera(devices.camera.value.kind !== 'on'); break;
        case 'talk': devices.isTalkHeld.value = true; break;
        default: return;
      }
      event.preventDefault();
    }, { signal: until });
    const letGo = (): void => { devices.isTalkHeld.value = false; };
    addEventListener('keyup', (event) => { if (event.key.toLowerCase() === 'v') letGo(); }, { signal: until });
    // A key that is let go elsewhere is not heard of.
    addEventListener('blur', letGo, { signal: until });
  }, [call]);
}

function useNews(party: Party): void {
  const { call, air } = party;
  const news = call.news.value;
  const phase = call.phase.value;
  const problem = call.media.problem.value;
  const ended = air.ended.value;
  const known = useRef({ ended: 0 });
  useEffect(() => { for (const one of news) showToast(toastOf(one)); }, [news]);
  useEffect(() => {
    if (phase.kind === 'over' && phase.why !== 'left') showToast({ kind: 'trouble', title: callWords.over.title[phase.why], line: callWords.over.line[phase.why] });
    if (phase.kind === 'over') {
      party.dialog.value = null;
      call.forget();
    }
  }, [phase]);
  useEffect(() => { if (problem) sayRefused(problem, callWords.mediaProblem); }, [problem]);
  useEffect(() => {
    if (ended > known.current.ended) showToast({ title: callWords.air.ended, line: callWords.air.endedLine });
    known.current.ended = ended;
  }, [ended]);
}

function toastOf(news: CallNews): Parameters<typeof showToast>[0] {
  const say = callWords.news;
  switch (news.kind) {
    case 'joined': return { title: say.joined(news.name) };
    case 'left': return { title: say.left(news.name) };
    case 'absent': return { title: say.absent(news.name) };
    case 'silenced': return { kind: 'trouble', title: say.silenced, line: say.silencedLine };
    case 'unseen': return { kind: 'trouble', title: say.unseen, line: callWords.refused.codes.video_full };
    case 'hosting': return { title: say.hosting };
    case 'played': return { title: playedWords(news.name ?? say.somebody, news.play), line: say.someLine };
  }
}

function playedWords(name: string, play: CallPlay): string {
  const say = callWords.news;
  switch (play.at) {
    case 'live': return say.live(name);
    case 'behind': return say.behind(name, lengthWords(play.behind_ms));
    case 'paused': return say.paused(name);
  }
}

/** "45 s", "12 min". */
function lengthWords(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return seconds < 100 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
