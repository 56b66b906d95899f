// The chat of a watch page: its room, whether it is shown, and whether it has moved into a window of its own.
import { useCallback, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { RefObject } from 'preact';
import { useScope } from '../ui/hooks';
import { recall, remember } from '../ui/remember';
import { pathOf } from '../ui/router';
import { showToast } from '../ui/Toast';
import { words } from '../words';
import { tellMoment } from './moment_link';
import { ChatRoom, type ChatSession } from './room';

/** How often it is looked whether the other window is still there, ms; nobody tells. */
const LOOK_EVERY_MS = 500;
const WINDOW = 'popup,width=400,height=760';

export type Chat = {
  room: ChatRoom;
  shown: boolean;
  poppedOut: boolean;
  input: RefObject<HTMLTextAreaElement | null>;
  show: (shown: boolean) => void;
  popOut: () => void;
  bringBack: () => void;
  /** Shows the chat and puts the cursor into it. */
  write: () => void;
};

export function useChat(session: ChatSession, slug: string, life: AbortSignal): Chat {
  const room = useMemo(() => new ChatRoom({ session, lifetime: life, follows: recall('chatFollows', true) }), [session, life]);
  const [shown, setShown] = useState(() => recall('chat', true));
  const [poppedOut, setPoppedOut] = useState(false);
  const other = useRef<Window | null>(null);
  const input = useRef<HTMLTextAreaElement>(null);
  const writeWanted = useRef(false);

  useScope((until) => tellMoment(slug, () => session.moment(), until), [session, slug]);
  useScope((until) => {
    if (!poppedOut) return;
    const timer = setInterval(() => { if (other.current?.closed !== false) setPoppedOut(false); }, LOOK_EVERY_MS);
    until.addEventListener('abort', () => clearInterval(timer), { once: true });
  }, [poppedOut]);
  useLayoutEffect(() => {
    if (shown && writeWanted.current) input.current?.focus();
    writeWanted.current = false;
  }, [shown]);

  const show = useCallback((next: boolean) => {
    setShown(next);
    remember('chat', next);
  }, []);
  const popOut = useCallback(() => {
    other.current = window.open(`${pathOf({ kind: 'chat', slug })}${location.search}`, `courtside-chat-${slug}`, WINDOW);
    if (other.current) setPoppedOut(true);
    else showToast({ kind: 'trouble', title: words.chat.popUpBlocked, line: words.chat.popUpBlockedLine });
  }, [slug]);
  const bringBack = useCallback(() => {
    other.current?.close();
    setPoppedOut(false);
  }, []);
  const write = useCallback(() => {
    if (poppedOut) other.current?.focus();
    else if (input.current) input.current.focus();
    else {
      writeWanted.current = true;
      show(true);
    }
  }, [poppedOut, show]);
  return { room, shown, poppedOut, input, show, popOut, bringBack, write };
}
