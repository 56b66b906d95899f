// The chat of a watch page: its room, whether it is shown, and whether it has moved into a window of its own.
import { useCallback, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { RefObject } from 'preact';
import { useScope } from '../ui/hooks';
import { recall, remember } from '../ui/remember';
import { pathOf } from '../ui/router';
import { showToast } from '../ui/Toast';
import { words } from '../words';
import { moderatorOf } from './moderator';
import { tellMoment } from './moment_link';
import { ChatRoom, type ChatSession } from './room';

/** How often it is looked whether the other window is still there, ms; nobody tells. */
const LOOK_EVERY_MS = 500;
const WINDOW = 'popup,width=400,height=760';

export type Chat = {
  room: ChatRoom;
  shown: boolean;
  /** Whether it lies over the picture in full screen. */
  over: boolean;
  poppedOut: boolean;
  input: RefObject<HTMLTextAreaElement | null>;
  show: (shown: boolean) => void;
  showOver: (over: boolean) => void;
  popOut: () => void;
  bringBack: () => void;
  /** Shows the chat and puts the cursor into it. */
  write: () => void;
};

/** `token`: of a private link, when the page came by one. */
export function useChat(session: ChatSession, slug: string, life: AbortSignal, token?: string): Chat {
  const room = useMemo(() => new ChatRoom({ session, lifetime: life, follows: recall('chatFollows', true), asModerator: moderatorOf(token) }), [session, life]);
  const [shown, setShown] = useState(() => recall('chat', true));
  const [over, setOver] = useState(() => recall('chatOver', false));
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
    if (writeWanted.current) input.current?.focus();
    writeWanted.current = false;
  }, [shown, over]);

  const show = useCallback((next: boolean) => {
    setShown(next);
    remember('chat', next);
  }, []);
  const showOver = useCallback((next: boolean) => {
    setOver(next);
    remember('chatOver', next);
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
    const fullScreen = document.fullscreenElement !== null;
    if (poppedOut && !fullScreen) other.current?.focus();
    else if (input.current) input.current.focus();
    else {
      writeWanted.current = true;
      if (fullScreen) showOver(true);
      else show(true);
    }
  }, [poppedOut, show, showOver]);
  return { room, shown, over, poppedOut, input, show, showOver, popOut, bringBack, write };
}
