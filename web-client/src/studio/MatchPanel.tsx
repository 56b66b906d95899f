// Score, match clock and moments, set by the broadcaster while on air. Everything shown is what the server confirmed.
import { useState } from 'preact/hooks';
import type { PublisherSession } from '../lib/publisher';
import type { BroadcastChanges, BroadcastView, MarkerKind, MatchClock, Score, Teams } from '../protocol';
import { Button, IconButton } from '../ui/Button';
import { Crest } from '../ui/Crest';
import { Dialog } from '../ui/Dialog';
import { Field } from '../ui/Field';
import { formatClock } from '../ui/format';
import { useTick } from '../ui/hooks';
import { arrowCounterClockwise, minus, pause, pencil, play, plus, trash } from '../ui/icons';
import { clockAt, momentAt } from '../ui/score';
import { showToast } from '../ui/Toast';
import { words } from '../words';
import { tidy } from './desk';
import { TeamFields } from './TeamFields';

const text = words.studio;
const EMPTY_CLOCK: MatchClock = { running: false, elapsed_ms: 0, at_media_ms: 0, period: '' };
const NEW_TEAMS: Teams = { home: { name: '', short: '', color: '#d5362c' }, away: { name: '', short: '', color: '#2f6fd0' } };
const KINDS: readonly MarkerKind[] = ['goal', 'chance', 'card', 'period', 'other'];

export function MatchPanel({ session }: { session: PublisherSession }) {
  const broadcast = session.broadcast.value;
  const [editing, setEditing] = useState(false);
  if (!broadcast) return <div class="match" />;
  const update = (changes: BroadcastChanges): void => {
    session.update(changes).catch((error: Error) => showToast({ kind: 'trouble', title: text.saveFailed, line: error.message }));
  };
  return (
    <div class="match">
      <div class="head"><h2>{text.direct}</h2><span class="grow" /><IconButton icon={pencil} label={text.editMatch} tip="end" below onClick={() => setEditing(true)} /></div>
      {broadcast.teams
        ? <ScoreBoard teams={broadcast.teams} score={broadcast.score ?? { home: 0, away: 0, at_media_ms: 0 }} update={update} />
        : <Button wide onClick={() => setEditing(true)}>{text.addTeams}</Button>}
      {broadcast.teams && <Clock session={session} clock={broadcast.clock ?? EMPTY_CLOCK} update={update} />}
      <Moments session={session} broadcast={broadcast} />
      {editing && <EditDialog broadcast={broadcast} update={update} onClose={() => setEditing(false)} />}
    </div>
  );
}

type Update = (changes: BroadcastChanges) => void;

function ScoreBoard({ teams, score, update }: { teams: Teams; score: Score; update: Update }) {
  const set = (home: number, away: number): void => update({ score: { home, away } });
  return (
    <div class="scoreboard">
      {(['home', 'away'] as const).map((side) => {
        const other = side === 'home' ? (points: number) => set(points, score.away) : (points: number) => set(score.home, points);
        return (
          <div class="side" key={side}>
            <Crest color={teams[side].color} side={side} />
            <span class="clip strong grow">{teams[side].name}</span>
            <IconButton icon={minus} label={text.scoreDown(teams[side].name)} disabled={score[side] === 0} onClick={() => other(score[side] - 1)} />
            <b class="score" aria-live="polite">{score[side]}</b>
            <IconButton icon={plus} label={text.scoreUp(teams[side].name)} tip="end" class="filled" onClick={() => other(score[side] + 1)} />
          </div>
        );
      })}
    </div>
  );
}

function Clock({ session, clock, update }: { session: PublisherSession; clock: MatchClock; update: Update }) {
  useTick(500, clock.running);
  const [period, setPeriod] = useState(clock.period);
  const elapsed = clockAt(clock, session.serverNow() ?? clock.at_media_ms);
  const set = (changes: Partial<Pick<MatchClock, 'running' | 'elapsed_ms' | 'period'>>): void => {
    update({ clock: { running: clock.running, elapsed_ms: Math.round(elapsed), period: clock.period, ...changes } });
  };
  return (
    <div class="clock">
      <span class="score time" role="timer" aria-label={text.clock}>{formatClock(elapsed)}</span>
      <IconButton
        icon={clock.running ? pause : play} class="filled" label={clock.running ? text.clockStop : text.clockStart}
        onClick={() => set({ running: !clock.running })}
      />
      <IconButton icon={arrowCounterClockwise} label={text.clockReset} onClick={() => set({ running: false, elapsed_ms: 0 })} />
      <input
        class="input" value={period} maxLength={16} aria-label={text.period} placeholder={text.periodPlaceholder}
        onInput={(event) => setPeriod(event.currentTarget.value)}
        onChange={() => { if (period.trim() !== clock.period) set({ period: period.trim() }); }}
      />
    </div>
  );
}

function Moments({ session, broadcast }: { session: PublisherSession; broadcast: BroadcastView }) {
  const live = session.phase.value.kind === 'live';
  const mark = (kind: MarkerKind): void => {
    session.mark(kind, text.kinds[kind]).catch((error: Error) => showToast({ kind: 'trouble', title: text.markFailed, line: error.message }));
  };
  const newestFirst = [...broadcast.markers].sort((a, b) => b.media_time_ms - a.media_time_ms);
  return (
    <div class="moments-panel">
      <p class="small muted">{text.mark}</p>
      <div class="kinds">
        {KINDS.map((kind) => <Button key={kind} size="sm" disabled={!live} onClick={() => mark(kind)}>{text.kinds[kind]}</Button>)}
      </div>
      {newestFirst.length === 0
        ? <p class="small muted">{text.noMoments}</p>
        : (
          <ol class="marked">
            {newestFirst.map((marker) => (
              <li key={marker.id}>
                <time class="num">{formatClock(momentAt(marker, broadcast))}</time>
                <span class="grow clip">{marker.label}</span>
                <IconButton
                  icon={trash} label={text.removeMoment(marker.label)} tip="end"
                  onClick={() => session.unmark(marker.id).catch((error: Error) => showToast({ kind: 'trouble', title: text.saveFailed, line: error.message }))}
                />
              </li>
            ))}
          </ol>
        )}
    </div>
  );
}

function EditDialog({ broadcast, update, onClose }: { broadcast: BroadcastView; update: Update; onClose: () => void }) {
  const [title, setTitle] = useState(broadcast.title);
  const [teams, setTeams] = useState(broadcast.teams ?? NEW_TEAMS);
  const named = teams.home.name.trim() !== '' || teams.away.name.trim() !== '';
  const save = (): void => {
    update({
      ...(title.trim() && title.trim() !== broadcast.title ? { title: title.trim() } : {}),
      ...(named ? { teams: tidy(teams) } : {}),
      ...(named && !broadcast.score ? { score: { home: 0, away: 0 } } : {}),
    });
    onClose();
  };
  return (
    <Dialog title={text.editMatch} onClose={onClose} actions={<Button look="primary" onClick={save}>{text.save}</Button>}>
      <div class="form">
        <Field label={text.titleLabel} value={title} maxLength={120} onValue={setTitle} />
        <TeamFields teams={teams} onTeams={setTeams} />
      </div>
    </Dialog>
  );
}
