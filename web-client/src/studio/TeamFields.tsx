// Two teams: name, short name for the score graphic, colour for the crest.
import type { Team, Teams } from '../protocol';
import { Field } from '../ui/Field';
import { Crest } from '../ui/Crest';
import { words } from '../words';

const text = words.studio;

export function TeamFields({ teams, onTeams }: { teams: Teams; onTeams: (teams: Teams) => void }) {
  return (
    <div class="teams">
      <TeamRow side="home" label={text.home} team={teams.home} onTeam={(home) => onTeams({ ...teams, home })} />
      <TeamRow side="away" label={text.away} team={teams.away} onTeam={(away) => onTeams({ ...teams, away })} />
    </div>
  );
}

type TeamRowProps = { side: 'home' | 'away'; label: string; team: Team; onTeam: (team: Team) => void };

function TeamRow({ side, label, team, onTeam }: TeamRowProps) {
  return (
    <div class="team">
      <label class="crest-pick">
        <span class="label" aria-hidden="true">{text.crest}</span>
        <span class="input"><Crest color={team.color} side={side} /></span>
        <input type="color" value={team.color} aria-label={text.teamColor(label)} onInput={(event) => onTeam({ ...team, color: event.currentTarget.value })} />
      </label>
      <Field label={text.teamName(label)} value={team.name} maxLength={40} placeholder={label} onValue={(name) => onTeam({ ...team, name })} />
      <Field label={text.teamShort(label)} value={team.short} maxLength={4} placeholder={initials(team.name)} onValue={(short) => onTeam({ ...team, short })} />
    </div>
  );
}

const initials = (name: string): string => name.replace(/[^\p{L}\p{N}]/gu, '').slice(0, 3).toUpperCase();
