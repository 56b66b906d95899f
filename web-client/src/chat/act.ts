// A change to the chat that somebody asked for: what becomes of it is said.
import { type RequestError, asRequestError } from '../lib/errors';
import type { ChatChange } from '../protocol';
import { showToast } from '../ui/Toast';
import { words } from '../words';
import type { ChatRoom } from './room';

const say = words.chat;

/** Carries a change out, or says why not. */
export function act(room: ChatRoom, change: ChatChange, done?: () => void): void {
  room.change(change).then(done, (thrown: unknown) => {
    const error: RequestError = asRequestError(thrown);
    showToast({ kind: 'trouble', title: say.notDone, line: say.refusal(error.code, room.modes.peek(), error.message) });
  });
}
