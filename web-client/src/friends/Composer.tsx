// Where a message is written: Enter sends, Shift and Enter begins a line, and it grows to four lines.
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { sayFailed } from '../account/say_failed';
import { drawNonce } from '../lib/nonce';
import { Icon } from '../ui/Icon';
import { paperPlane } from '../ui/icons';
import { friendsWords } from '../friends_words';
import { PRIVATE_TEXT_MAX, type Person } from '../protocol';
import type { Friends } from './friends';

/** From here on it is said how much room is left, characters. */
const ROOM_TOLD = 200;

export function Composer({ friends, person }: { friends: Friends; person: Person }) {
  const say = friendsWords.write;
  const [text, setText] = useState('');
  const area = useRef<HTMLTextAreaElement>(null);
  const left = PRIVATE_TEXT_MAX - [...text].length;
  useLayoutEffect(() => {
    const element = area.current;
    if (!element) return;
    element.style.height = 'auto';
    element.style.height = `${element.scrollHeight}px`;
  }, [text]);
  const send = (): void => {
    const said = text.trim();
    if (said === '' || left < 0) return;
    setText('');
    area.current?.focus();
    friends.send(person, said, drawNonce()).catch((thrown: unknown) => sayFailed(thrown, say.notSent));
  };
  return (
    <form class="composer" onSubmit={(event) => { event.preventDefault(); send(); }}>
      <textarea
        ref={area} class="input" rows={1} value={text} placeholder={say.placeholder} aria-label={say.label(person.name)} enterkeyhint="send"
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          // Enter that ends a word of an input method is not ours.
          if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          send();
        }}
      />
      <button class="ib send" type="submit" aria-label={say.send} disabled={text.trim() === '' || left < 0}><Icon svg={paperPlane} /></button>
      {left <= ROOM_TOLD && <p class={`room small num ${left < 0 ? 'over' : ''}`} role="status">{say.left(left)}</p>}
    </form>
  );
}
