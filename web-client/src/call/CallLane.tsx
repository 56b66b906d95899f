// The call's own chat: a few words between its members, beside what everybody reads.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { sayFailed } from '../account/say_failed';
import { drawNonce } from '../lib/nonce';
import { CALL_TEXT_MAX } from '../protocol';
import { Icon } from '../ui/Icon';
import { paperPlane } from '../ui/icons';
import { callWords } from '../call_words';
import type { Party } from './party';

/** From here on it is said how much room is left. */
const ROOM_TOLD = 60;

export function CallLane({ party }: { party: Party }) {
  const say = callWords.lane;
  const { call } = party;
  const [text, setText] = useState('');
  const [unsent, setUnsent] = useState<{ nonce: number; text: string } | null>(null);
  const log = useRef<HTMLOListElement>(null);
  const lines = call.lines.value;
  const left = CALL_TEXT_MAX - [...text].length;
  const last = lines.at(-1)?.number;
  useEffect(() => {
    call.isReading.value = true;
    return () => { call.isReading.value = false; };
  }, [call]);
  useLayoutEffect(() => { log.current?.lastElementChild?.scrollIntoView({ block: 'nearest' }); }, [last]);
  const send = (): void => {
    const said = text.trim();
    if (said === '' || left < 0) return;
    // The same words again are the same message: it may have got there.
    const message = unsent?.text === said ? unsent : { nonce: drawNonce(), text: said };
    setText('');
    setUnsent(null);
    call.say(message.text, message.nonce).catch((thrown: unknown) => {
      setUnsent(message);
      setText((typed) => (typed === '' ? message.text : typed));
      sayFailed(thrown, say.notSent);
    });
  };
  return (
    <div class="call-lane">
      {lines.length === 0
        ? <div class="nothing"><h3>{say.empty}</h3><p>{say.emptyLine}</p></div>
        : (
          <div class="call-log" role="log" aria-label={say.log} tabIndex={0}>
            <ol ref={log}>
              {lines.map(({ number, name, text: words }) => <li key={number}><b><bdi>{name}</bdi></b> <span>{words}</span></li>)}
            </ol>
          </div>
        )}
      <form class="call-composer" onSubmit={(event) => { event.preventDefault(); send(); }}>
        <input class="input" value={text} placeholder={say.placeholder} aria-label={say.label} enterkeyhint="send" autocomplete="off" onInput={(event) => setText(event.currentTarget.value)} />
        <button class="ib" type="submit" aria-label={say.send} disabled={text.trim() === '' || left < 0}><Icon svg={paperPlane} /></button>
      </form>
      {left <= ROOM_TOLD && <p class="small num muted" role="status">{say.left(left)}</p>}
    </div>
  );
}
