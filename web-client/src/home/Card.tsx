// One broadcast in the list: picture, tally and viewers, then the teams with their score, or the title and how long it has been on.
import type { BroadcastView, Score, Teams } from '../protocol';
import { Crest } from '../ui/Crest';
import { formatCount, formatLength } from '../ui/format';
import { Icon } from '../ui/Icon';
import { eye } from '../ui/icons';
import { pathOf } from '../ui/router';
import { Tally, type TallyState } from '../ui/Tally';
import { words } from '../words';
import { Poster } from './Picture';

export function Card({ broadcast, now }: { broadcast: BroadcastView; now: number }) {
  const { teams, score } = broadcast;
  const viewers = formatCount(broadcast.viewers);
  return (
    <li>
      <a class="card" href={pathOf({ kind: 'watch', slug: broadcast.slug })}>
        <div class="thumb">
          <Poster broadcast={broadcast} />
          <Tally small state={tallyOf(broadcast)} />
          {broadcast.viewers > 0 && (
            <span class="viewers num">
              <Icon svg={eye} size="s" />
              <span aria-hidden="true">{viewers}</span>
              <span class="sr">{words.home.viewers(viewers)}</span>
            </span>
          )}
        </div>
        <div class="body">
          {teams
            ? <TeamRows teams={teams} score={score} />
            : <h3 class="clip">{titleOf(broadcast)}</h3>}
          <p class="clip num">{detailOf(broadcast, now)}</p>
        </div>
      </a>
    </li>
  );
}

/** Two rows, the one that is behind a shade quieter. */
export function TeamRows({ teams, score, class: className = 'team' }: { teams: Teams; score: Score | undefined; class?: string }) {
  const lost = (own: number, other: number) => (own < other ? 'lost' : '');
  return (
    <>
      <div class={`${className} ${score ? lost(score.home, score.away) : ''}`}>
        <Crest color={teams.home.color} side="home" />
        <span class="clip">{teams.home.name}</span>
        {score && <span class="score">{score.home}</span>}
      </div>
      <div class={`${className} ${score ? lost(score.away, score.home) : ''}`}>
        <Crest color={teams.away.color} side="away" />
        <span class="clip">{teams.away.name}</span>
        {score && <span class="score">{score.away}</span>}
      </div>
    </>
  );
}

export function titleOf(broadcast: BroadcastView): string {
  return broadcast.title.trim() || words.common.untitled;
}

export function tallyOf(broadcast: BroadcastView, delayMs: number | null = null): TallyState {
  if (broadcast.state === 'reconnecting') return { kind: 'behind', label: words.tally.reconnecting };
  return { kind: 'live', delayMs, suffix: words.tally.behindSuffix };
}

/** With teams: the title, and the period where the clock names one. Without: how long it has been on. */
export function detailOf(broadcast: BroadcastView, now: number): string {
  const parts: string[] = [];
  if (broadcast.teams && broadcast.title.trim()) parts.push(broadcast.title.trim());
  if (broadcast.clock?.period) parts.push(broadcast.clock.period);
  else if (broadcast.started_at_ms !== undefined) parts.push(words.common.liveFor(formatLength(now - broadcast.started_at_ms)));
  return parts.join(' · ');
}
