// What waits for a moderator, beside the chat: messages that the filter holds and messages that people report; who may not write, and which words
// may not be said. Everything comes up by itself.
import './desk.css';
import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { asRequestError } from '../lib/errors';
import type { HeldMessage, ReportedMessage, Restrained } from '../protocol';
import { Button } from '../ui/Button';
import { Help } from '../ui/Field';
import { formatTime } from '../ui/format';
import { showToast } from '../ui/Toast';
import { words } from '../words';
import { Words } from './LineView';
import { type ModerationDesk, wordsOf } from './desk';
import type { ChatRoom } from './room';

const say = words.chat.desk;
/** The limits of the server. */
const WORDS_MAX = 500;
const WORD_MAX = 80;
const SILENCE_S = 600;

export function DeskPanel({ room }: { room: ChatRoom }) {
  const { desk } = room;
  const held = desk.held.value;
  const reports = desk.reports.value;
  const phase = desk.phase.value;
  return (
    <div class="desk">
      {phase === 'failed' && (
        <div class="failed-lists" role="alert">
          <p>{say.failed}</p>
          <Button look="ghost" size="sm" onClick={() => desk.read()}>{words.common.tryAgain}</Button>
        </div>
      )}
      {held.length + reports.length === 0 && <div class="calm"><h3>{say.nothing}</h3><p>{say.nothingLine}</p></div>}
      {held.length > 0 && (
        <Group title={say.held}>
          <ul>{held.map((message) => <HeldRow key={message.id} room={room} message={message} />)}</ul>
        </Group>
      )}
      {reports.length > 0 && (
        <Group title={say.reports}>
          <ul>{reports.map((reported) => <ReportRow key={reported.message} room={room} reported={reported} />)}</ul>
        </Group>
      )}
      {phase === 'there' && <><People room={room} /><WordList room={room} /></>}
    </div>
  );
}

function Group({ title, children }: { title: string; children: ComponentChildren }) {
  const id = useId();
  return <section aria-labelledby={id}><h3 id={id}>{title}</h3>{children}</section>;
}

/** Whether something is being done; what fails is told. */
function useAct(room: ChatRoom): [boolean, (run: () => Promise<void>, done?: () => void) => void] {
  const [busy, setBusy] = useState(false);
  const act = (run: () => Promise<void>, done?: () => void): void => {
    setBusy(true);
    run().then(done, (thrown: unknown) => {
      const error = asRequestError(thrown);
      showToast({ kind: 'trouble', title: words.chat.notDone, line: words.chat.refusal(error.code, room.modes.peek(), error.message) });
    }).finally(() => setBusy(false));
  };
  return [busy, act];
}

function HeldRow({ room, message }: { room: ChatRoom; message: HeldMessage }) {
  const [busy, act] = useAct(room);
  const rule = (verdict: 'approve' | 'refuse', label: string) => (
    <Button look="secondary" size="sm" busy={busy} label={say.of(label, message.author.name)} onClick={() => act(() => room.desk.review(message, verdict))}>{label}</Button>
  );
  return (
    <li>
      <p><b><bdi>{message.author.name}</bdi></b> <Words text={message.text} named={[]} /></p>
      <p class="why">{say.found[message.rule]} · <span class="num">{formatTime(message.held_at_ms)}</span></p>
      <div class="choices">{rule('approve', say.approve)}{rule('refuse', say.refuse)}</div>
    </li>
  );
}

function ReportRow({ room, reported }: { room: ChatRoom; reported: ReportedMessage }) {
  const [busy, act] = useAct(room);
  const { author, text, message, reports, sent_at_ms: sentAtMs } = reported;
  const notes = reports.flatMap(({ note }) => (note ? [note] : []));
  const first = reports[0];
  const choice = (label: string, run: (desk: ModerationDesk) => Promise<void>) => (
    <Button look="secondary" size="sm" busy={busy} label={say.of(label, author.name)} onClick={() => act(() => run(room.desk))}>{label}</Button>
  );
  return (
    <li>
      <p><b><bdi>{author.name}</bdi></b> <Words text={text} named={[]} /></p>
      <p class="why">{first && say.reported(say.reasons[first.reason], reports.length)} · <span class="num">{formatTime(sentAtMs)}</span></p>
      {notes.map((note, index) => <p key={index} class="why"><bdi>“{note}”</bdi></p>)}
      <div class="choices">
        {choice(say.dismiss, (desk) => desk.resolve(message, 'dismissed'))}
        {choice(say.remove, (desk) => desk.remove(message))}
        {choice(say.silence, (desk) => desk.silence(reported, SILENCE_S))}
      </div>
    </li>
  );
}

function People({ room }: { room: ChatRoom }) {
  const [busy, act] = useAct(room);
  const people = room.desk.restrained.value;
  return (
    <Group title={say.people}>
      {people.length === 0 && <p class="why">{say.nobody}</p>}
      <ul>{people.map((restrained) => <PersonRow key={restrained.person.id} room={room} restrained={restrained} />)}</ul>
      {room.desk.moreRestrained.value && <Button look="ghost" size="sm" busy={busy} onClick={() => act(() => room.desk.readEarlier())}>{say.earlier}</Button>}
    </Group>
  );
}

function PersonRow({ room, restrained }: { room: ChatRoom; restrained: Restrained }) {
  const [busy, act] = useAct(room);
  const { person, until_ms: untilMs, by } = restrained;
  const name = person.name || say.unknown;
  return (
    <li class="person-row">
      <div>
        <p><b><bdi>{name}</bdi></b></p>
        <p class="why">{untilMs === undefined ? say.banned : say.until(formatTime(untilMs))}{by?.name ? ` · ${say.by(by.name)}` : ''}</p>
      </div>
      <Button look="ghost" size="sm" busy={busy} label={say.of(words.chat.lift, name)} onClick={() => act(() => room.desk.lift(person.id), () => showToast({ title: words.chat.lifted(name) }))}>
        {words.chat.lift}
      </Button>
    </li>
  );
}

function WordList({ room }: { room: ChatRoom }) {
  const id = useId();
  const known = room.desk.words.value;
  /** What is being written; `null`: nothing is. */
  const [text, setText] = useState<string | null>(null);
  const [busy, act] = useAct(room);
  const list = wordsOf(text ?? '');
  const long = list.find((word) => [...word].length > WORD_MAX);
  const error = list.length > WORDS_MAX ? say.tooManyWords(WORDS_MAX) : long ? say.wordTooLong([...long].slice(0, 20).join(''), WORD_MAX) : null;
  const save = (): void => act(() => room.desk.setWords(list), () => { setText(null); showToast({ title: say.saved }); });
  return (
    <Group title={say.words}>
      <label class="field">
        <span class="sr">{say.words}</span>
        <textarea
          class="input"
          rows={5}
          spellcheck={false}
          autocomplete="off"
          value={text ?? known.join('\n')}
          aria-describedby={id}
          aria-invalid={error ? 'true' : undefined}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <Help id={id} help={say.wordsHelp} error={error} />
      </label>
      {text !== null && (
        <div class="choices">
          <Button look="ghost" size="sm" onClick={() => setText(null)}>{words.common.cancel}</Button>
          <Button look="primary" size="sm" busy={busy} disabled={error !== null} onClick={save}>{words.chat.save}</Button>
        </div>
      )}
    </Group>
  );
}
