// The score graphic on the picture, for when the row below it is out of sight (full screen, theatre, a phone held sideways).
import type { Teams } from '../protocol';
import type { MatchNow } from './match';

export function ScoreBug({ teams, match }: { teams: Teams; match: MatchNow }) {
  const short = (team: Teams['home']) => team.short || team.name.slice(0, 3).toUpperCase();
  return (
    <div class="layer bug num" aria-hidden="true">
      <span style={{ borderLeft: `5px solid ${teams.home.color}` }}>{short(teams.home)}</span>
      {match.score && <span class="points">{match.score.home}–{match.score.away}</span>}
      <span style={{ borderRight: `5px solid ${teams.away.color}` }}>{short(teams.away)}</span>
      {match.clock && <span class="time">{match.clock.text}</span>}
    </div>
  );
}
