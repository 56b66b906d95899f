// Where a message is written: grows with the text, offers names after an @ and emoji from a list, counts towards the limit, and says how
// long to wait while the chat is slow.
import { type RefObject } from 'preact';
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { asRequestError } from '../lib/errors';
import { CHAT_TEXT_MAX, type ChatMessage, type ReplyTo } from '../protocol';
import { IconButton } from '../ui/Button';
import { useTick } from '../ui/hooks';
import { Icon } from '../ui/Icon';
import { paperPlane, smiley, x } from '../ui/icons';
import { showToast } from '../ui/Toast';
import { words } from '../words';
import { Over } from '../ui/Over';
import { RoleMark } from './LineView';
import { type Someone, addressedIn, addressingAt, offersFor } from './address';
import { isEmojiOnly, piecesOf } from './pieces';
import type { ChatRoom } from './room';

const loadPicker = () => import('./EmojiPicker').then((module) => module.EmojiPicker);
const say = words.chat;
/** From here on the count is shown. */
const COUNTED_FROM = 450;
/** Lines before it scrolls. */
const LINES_MAX = 4;
/** Its author may change a message for this long, ms: the server's limit. */
export const EDIT_WINDOW_MS = 300_000;

export type Draft = { kind: 'new' } | { kind: 'reply'; to: ReplyTo } | { kind: 'edit'; message: ChatMessage };

export type ComposerProps = {
  room: ChatRoom;
  draft: Draft;
  input: RefObject<HTMLTextAreaElement | null>;
  /** A name to put into the text; another object each time. */
  address: { person: Someone } | null;
  onDraft: (draft: Draft) => void;
};

export function Composer({ room, draft, input, address, onDraft }: ComposerProps) {
  const [text, setText] = useState(room.unsaid);
  const [caret, setCaret] = useState(0);
  const [chosen, setChosen] = useState<readonly Someone[]>([]);
  const [offer, setOffer] = useState(0);
  /** The text for which the list of names was closed. */
  const [closedAt, setClosedAt] = useState<string | null>(null);
  const [picking, setPicking] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  const [saving, setSaving] = useState(false);
  const caretWanted = useRef<number | null>(null);
  const emojiButton = useRef<HTMLButtonElement>(null);
  const listId = useId();
  const countId = useId();

  const silence = room.silence.value;
  useTick(250, silence !== null && silence.untilMs > performance.now());
  const waitS = silence ? Math.max(0, Math.ceil((silence.untilMs - performance.now()) / 1000)) : 0;
  const modes = room.modes.value;
  const free = room.isModerator();
  const length = [...text.trim()].length;
  const emojiOnly = modes.emote_only && !free;
  const fits = length > 0 && length <= CHAT_TEXT_MAX && (!emojiOnly || isEmojiOnly(piecesOf(text), CHAT_TEXT_MAX) || !/[\p{L}\p{N}]/u.test(text));
  const mayStart = draft.kind === 'edit' || waitS === 0;
  const addressing = closedAt === text ? null : addressingAt(text, caret);
  const offers = addressing ? offersFor(addressing.typed, room.someone()) : [];
  const offered = Math.min(offer, offers.length - 1);

  // Its cursor and its height follow the text.
  useLayoutEffect(() => {
    const element = input.current;
    if (!element) return;
    // Before the next key: whoever types on at once types there.
    if (caretWanted.current !== null) element.setSelectionRange(caretWanted.current, caretWanted.current);
    caretWanted.current = null;
    element.style.height = 'auto';
    const line = Number.parseFloat(getComputedStyle(element).lineHeight);
    const padding = element.scrollHeight > 0 ? 22 : 0;
    element.style.height = `${Math.min(element.scrollHeight, line * LINES_MAX + padding)}px`;
    element.style.overflowY = element.scrollHeight > line * LINES_MAX + padding + 1 ? 'auto' : 'hidden';
  }, [text]);

  // Hiding the chat does not lose what was being written.
  useEffect(() => { room.unsaid = draft.kind === 'edit' ? '' : text; }, [text, draft]);

  // Both before the next key, too.
  useLayoutEffect(() => {
    if (draft.kind === 'edit') put(draft.message.text);
    if (draft.kind !== 'new') input.current?.focus();
  }, [draft]);

  useLayoutEffect(() => {
    if (!address) return;
    setChosen((before) => [...before, address.person]);
    insert(`${text === '' || /\s$/.test(text) ? '' : ' '}@${address.person.name} `, text.length);
  }, [address]);

  function put(next: string, at = next.length): void {
    setText(next);
    setCaret(at);
    setTrouble(null);
    caretWanted.current = at;
  }

  function insert(what: string, at = input.current?.selectionStart ?? text.length, until = at): void {
    put(text.slice(0, at) + what + text.slice(until), at + what.length);
    input.current?.focus();
  }

  const choose = (person: Someone): void => {
    if (!addressing) return;
    setChosen((before) => [...before, person]);
    insert(`@${person.name} `, addressing.from, caret);
    setOffer(0);
  };

  const clear = (): void => {
    put('');
    setChosen([]);
    onDraft({ kind: 'new' });
  };

  const submit = async (): Promise<void> => {
    if (!fits || !mayStart || saving) return;
    if (draft.kind !== 'edit') {
      const mentions = addressedIn(text, chosen);
      if (room.say(text.trim(), draft.kind === 'reply' ? draft.to : null, mentions)) clear();
      else showToast({ kind: 'trouble', title: say.tooManyWaiting, line: say.tooManyWaitingLine });
      return;
    }
    setSaving(true);
    try {
      if (text.trim() !== draft.message.text) await room.change({ change: 'edit', message: draft.message.id, text: text.trim() });
      clear();
    } catch (thrown) {
      const error = asRequestError(thrown);
      setTrouble(say.refusal(error.code, modes, error.message));
    } finally {
      setSaving(false);
    }
  };

  /** The newest of one's own, if it may be changed. One that is on its way may not yet, and an older one is not meant. */
  const lastOwn = (): ChatMessage | null => {
    const me = room.user.value?.id;
    const line = room.lines.value.findLast((each) =>
      (each.kind === 'message' && !each.removed && each.message.author.id === me) || (each.kind === 'pending' && each.state !== 'failed'));
    return line?.kind === 'message' && mayEdit(line.message, Date.now()) ? line.message : null;
  };

  const key = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    if (offers.length > 0) {
      switch (event.key) {
        case 'ArrowDown': setOffer((offered + 1) % offers.length); event.preventDefault(); return;
        case 'ArrowUp': setOffer((offered + offers.length - 1) % offers.length); event.preventDefault(); return;
        case 'Enter': case 'Tab': {
          const person = offers[offered];
          if (person && !event.shiftKey) { choose(person); event.preventDefault(); return; }
          break;
        }
        case 'Escape': setClosedAt(text); event.preventDefault(); event.stopPropagation(); return;
      }
    }
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      void submit();
    } else if (event.key === 'Escape') {
      // First what is being written, then the field.
      if (draft.kind !== 'new') clear();
      else input.current?.blur();
      event.preventDefault();
    } else if (event.key === 'ArrowUp' && text === '') {
      const message = lastOwn();
      if (message) { onDraft({ kind: 'edit', message }); event.preventDefault(); }
    }
  };

  const follow = (): void => setCaret(input.current?.selectionStart ?? 0);
  const placeholder = emojiOnly ? say.placeholderEmoji : modes.slow_s > 0 && !free ? say.placeholderSlow(modes.slow_s) : say.placeholder;
  return (
    <div class="composer">
      {draft.kind !== 'new' && (
        <div class="draft">
          <span class="clip">{draft.kind === 'edit' ? say.editing : <>{say.replying(draft.to.name)} <span class="muted">{draft.to.excerpt}</span></>}</span>
          <IconButton icon={x} label={words.common.cancel} tip="end" onClick={() => { clear(); input.current?.focus(); }} />
        </div>
      )}
      {trouble && <p class="trouble" role="alert">{trouble}</p>}
      {offers.length > 0 && (
        <ul class="offers" id={listId} role="listbox" aria-label={say.offers}>
          {offers.map((person, index) => (
            <li
              key={person.id}
              id={`${listId}-${index}`}
              role="option"
              aria-selected={index === offered}
              onPointerDown={(event) => { event.preventDefault(); choose(person); }}
            >
              <RoleMark role={person.role} /><bdi class="clip">{person.name}</bdi>
            </li>
          ))}
        </ul>
      )}
      {picking && (
        <Over
          load={loadPicker}
          properties={{
            onPick: (emoji: string) => insert(emoji, input.current?.selectionStart ?? text.length, input.current?.selectionEnd ?? text.length),
            onClose: () => { setPicking(false); emojiButton.current?.focus(); },
          }}
          onFailed={() => setPicking(false)}
        />
      )}
      <div class="write">
        <textarea
          ref={input}
          rows={1}
          value={text}
          placeholder={placeholder}
          aria-label={say.composer}
          aria-describedby={length >= COUNTED_FROM ? countId : undefined}
          aria-autocomplete="list"
          aria-controls={offers.length > 0 ? listId : undefined}
          aria-activedescendant={offers.length > 0 ? `${listId}-${offered}` : undefined}
          autocomplete="off"
          enterkeyhint="send"
          onInput={(event) => { setText(event.currentTarget.value); setTrouble(null); follow(); }}
          onKeyDown={key}
          onKeyUp={follow}
          onClick={follow}
        />
        {length >= COUNTED_FROM && (
          <span id={countId} class={`count num ${length > CHAT_TEXT_MAX ? 'over' : ''}`}>
            <span aria-hidden="true">{length > CHAT_TEXT_MAX ? `−${length - CHAT_TEXT_MAX}` : `${length}/${CHAT_TEXT_MAX}`}</span>
            <span class="sr">{length > CHAT_TEXT_MAX ? say.tooLong(length - CHAT_TEXT_MAX) : say.counter(length, CHAT_TEXT_MAX)}</span>
          </span>
        )}
        <IconButton icon={smiley} label={say.emoji} expanded={picking} popup="dialog" tip="end" buttonRef={emojiButton} onClick={() => setPicking((open) => !open)} />
        <button
          class="ib send"
          type="button"
          aria-label={mayStart ? say.send : say.sendIn(waitS)}
          disabled={!fits || !mayStart || saving}
          onClick={() => void submit()}
        >
          {mayStart ? <Icon svg={paperPlane} /> : <b class="num">{waitS}</b>}
        </button>
      </div>
    </div>
  );
}

/** `nowMs`: wall clock, ms since the Unix epoch. */
export function mayEdit(message: ChatMessage, nowMs: number): boolean {
  return nowMs - message.sent_at_ms < EDIT_WINDOW_MS;
}
