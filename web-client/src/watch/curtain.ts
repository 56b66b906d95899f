// What the player says in words when there is no picture to show: one curtain per state of the session. Pure.
import type { ViewerPhase } from '../lib/viewer_state';
import type { BroadcastView } from '../protocol';
import { formatLength } from '../ui/format';
import { words } from '../words';

export type CurtainAction = 'retry' | 'home' | 'reload' | 'ask_it' | 'replay';
export type CurtainIcon = 'play' | 'clock' | 'flag' | 'no_network' | 'no_video' | 'ticket' | 'seat' | 'lost';

export type Curtain = {
  title: string;
  line: string;
  /** `progress`: something is under way. */
  mark: 'progress' | CurtainIcon;
  /** The first is the main one. */
  actions: readonly CurtainAction[];
  /** `last`: the last frame shows through, dimmed. `poster`: the still does. `none`: nothing was ever there. */
  behind: 'last' | 'poster' | 'none';
};

/** `droppedAt` is the match clock (or time) of the last frame. `null`: the picture plays. */
export function curtainOf(phase: ViewerPhase, broadcast: BroadcastView | null, droppedAt: string | null): Curtain | null {
  const say = words.states;
  switch (phase.kind) {
    case 'playing':
      return null;
    case 'connecting':
      return { ...say.connecting, mark: 'progress', actions: [], behind: 'poster' };
    case 'waiting':
      return { ...say.waiting, mark: 'clock', actions: [], behind: 'poster' };
    case 'reconnecting':
      return phase.why === 'publisher'
        ? { title: say.publisherGone.title, line: say.publisherGone.line(droppedAt), mark: 'progress', actions: [], behind: 'last' }
        : { title: say.networkGone.title, line: say.networkGone.line(droppedAt), mark: 'progress', actions: ['retry'], behind: 'last' };
    case 'ended':
      // Whoever comes for the replay does not want to be told how it ended.
      if (broadcast?.replay) return { title: say.replay.title, line: say.replay.line(lengthOf(broadcast)), mark: 'play', actions: ['replay', 'home'], behind: 'poster' };
      return { title: endedTitle(broadcast), line: say.ended.line(lengthOf(broadcast)), mark: 'flag', actions: ['home'], behind: 'poster' };
    case 'blocked':
      return phase.reason === 'network'
        ? { title: say.blockedNetwork.title, line: say.blockedNetwork.line, mark: 'no_network', actions: ['retry', 'ask_it'], behind: 'none' }
        : { title: say.blockedCodec.title(words.stats.codecs[phase.codec] ?? phase.codec), line: say.blockedCodec.line, mark: 'no_video', actions: ['home'], behind: 'none' };
    case 'refused':
      return refusedCurtain(phase.code);
    case 'full':
      return { ...say.full, mark: 'seat', actions: ['retry', 'home'], behind: 'none' };
    case 'not_found':
      return { ...say.notFound, mark: 'lost', actions: ['home'], behind: 'none' };
  }
}

function refusedCurtain(code: Extract<ViewerPhase, { kind: 'refused' }>['code']): Curtain {
  const say = words.states;
  switch (code) {
    case 'token_expired':
      return { ...say.refused, mark: 'ticket', actions: ['home'], behind: 'none' };
    case 'invalid_token':
    case 'forbidden':
      return { ...say.forbidden, mark: 'ticket', actions: ['home'], behind: 'none' };
    case 'unsupported_protocol':
      return { ...say.outdated, mark: 'lost', actions: ['reload'], behind: 'none' };
  }
}

/** "Full time. Northgate 3–1": the side that is ahead first. */
function endedTitle(broadcast: BroadcastView | null): string {
  const { teams, score } = broadcast ?? {};
  if (!teams || !score) return words.states.ended.title;
  if (score.home === score.away) return words.states.ended.draw(score.home, score.away);
  return score.home > score.away
    ? words.states.ended.fullTime(teams.home.name, score.home, score.away)
    : words.states.ended.fullTime(teams.away.name, score.away, score.home);
}

function lengthOf(broadcast: BroadcastView | null): string | null {
  if (broadcast?.started_at_ms === undefined || broadcast.ended_at_ms === undefined) return null;
  return formatLength(broadcast.ended_at_ms - broadcast.started_at_ms);
}
