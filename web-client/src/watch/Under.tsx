// Below the picture: who plays and how it stands (or the title), how many watch, the link to share, and the moments so far.
import type { ReadonlySignal } from '@preact/signals';
import { Fragment } from 'preact';
import type { BroadcastView, MarkerKind } from '../protocol';
import { titleOf } from '../home/Card';
import { Button } from '../ui/Button';
import { Crest } from '../ui/Crest';
import { formatCount } from '../ui/format';
import { Icon } from '../ui/Icon';
import { chatCircle, flagFill, rectangleFill, share, users, soccerBall, star, timer } from '../ui/icons';
import { showToast } from '../ui/Toast';
import { words } from '../words';
import type { MatchNow, Moment } from './match';
import type { WithFriends } from './with_friends';

export type UnderProps = { broadcast: BroadcastView; viewers: number; match: ReadonlySignal<MatchNow>; /** Brings the chat back, where it is hidden. */ onChat: (() => void) | null; /** Plays a moment again, where that can be. */ onMoment: PlayMoment | null; friends: WithFriends };
export type PlayMoment = (moment: Moment) => void;

export function Under({ broadcast, viewers, match, onChat, onMoment, friends }: UnderProps) {
  const { score, clock, elapsed, moments } = match.value;
  const { teams } = broadcast;
  const title = titleOf(broadcast);
  const time = clock
    ? [clock.period, clock.text].filter(Boolean).join(' ')
    : elapsed !== null && broadcast.state !== 'ended' && broadcast.state !== 'idle' ? words.common.liveFor(elapsed) : null;
  const audience = broadcast.state === 'ended' ? words.home.peak(formatCount(broadcast.viewers_peak)) : words.home.viewers(formatCount(viewers));
  const facts = [teams && broadcast.title.trim() ? title : null, time, audience].filter((fact) => fact !== null);
  return (
    <section class="under">
      <div class="head">
        {teams
          ? (
            <h1 class="versus">
              <Crest color={teams.home.color} side="home" />
              <span class="name">{teams.home.name}</span>
              <span class="score">{score ? `${score.home}–${score.away}` : words.watch.versus}</span>
              <span class="name">{teams.away.name}</span>
              <Crest color={teams.away.color} side="away" />
            </h1>
          )
          : <h1>{title}</h1>}
        <p class="facts num">{facts.map((fact, index) => <Fragment key={index}>{index > 0 && ' · '}<span>{fact}</span></Fragment>)}</p>
        <div class="share">
          {!friends.isOn && broadcast.state !== 'ended' && <Button look="secondary" size="sm" icon={users} onClick={() => friends.press()}>{words.watch.withFriends}</Button>}
          {onChat && <Button look="secondary" size="sm" icon={chatCircle} onClick={onChat}>{words.chat.show}</Button>}
          <Button look="secondary" size="sm" icon={share} onClick={() => void shareLink(title)}>{words.watch.share}</Button>
        </div>
      </div>
      <Moments moments={moments} onPlay={onMoment} />
    </section>
  );
}

export function Moments({ moments, onPlay }: { moments: readonly Moment[]; onPlay: PlayMoment | null }) {
  if (moments.length === 0) return null;
  return (
    <ul class="moments" tabIndex={onPlay ? undefined : 0} aria-label={words.watch.moments}>
      {moments.map((moment) => <MomentRow key={moment.id} moment={moment} onPlay={onPlay} />)}
    </ul>
  );
}

const MOMENT_ICONS: Record<MarkerKind, string> = { goal: soccerBall, card: rectangleFill, chance: star, period: timer, other: flagFill };

function MomentRow({ moment, onPlay }: { moment: Moment; onPlay: PlayMoment | null }) {
  const inside = (
    <>
      <time>{moment.time}</time>
      <b class="clip">{moment.label}</b>
      <Icon svg={MOMENT_ICONS[moment.kind]} size="s" />
    </>
  );
  return onPlay
    ? <li><button type="button" class={`moment ${moment.kind}`} onClick={() => onPlay(moment)}>{inside}</button></li>
    : <li class={`moment ${moment.kind}`}>{inside}</li>;
}

/** The system's own sheet on touch devices, the clipboard elsewhere. The token of a private link stays out of it. */
async function shareLink(title: string): Promise<void> {
  const url = `${location.origin}${location.pathname}`;
  if (matchMedia('(pointer: coarse)').matches && navigator.share) {
    // Closing the sheet rejects; nothing went wrong.
    await navigator.share({ title, url }).catch(() => undefined);
    return;
  }
  try {
    await navigator.clipboard.writeText(url);
    showToast({ title: words.watch.copied, line: words.watch.copiedLine });
  } catch {
    showToast({ kind: 'trouble', title: words.watch.copyFailed, line: words.watch.copyFailedLine });
  }
}
