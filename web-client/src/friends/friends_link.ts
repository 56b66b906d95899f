// What is pushed about friends over the page's connection, which also tells friends that somebody is here: heard while that is the same person.
import { quiet, quietAll, rang } from '../call/rings';
import type { Connection } from '../lib/connection';
import { theConnections } from '../lib/connections';
import type { Push } from './contract';

export type Link = {
  /** Asks for presence from now on, or no longer. */
  look: (on: boolean) => void;
};

export type LinkListener = {
  heard: (push: Push) => void;
  /** Connected, for the first time or again: what was pushed meanwhile is missed. */
  welcomed: () => void;
};

/** Of the account `me`; lives until `lifetime` aborts. */
export function openLink(me: string, listener: LinkListener, lifetime: AbortSignal, connection: Connection = theConnections().toHear()): Link {
  let looking = false;
  // Before the share ends, after which nothing can be said: the connection may go on.
  lifetime.addEventListener('abort', () => {
    if (looking && isMine()) client.request('unwatch_friends', {}).catch(() => undefined);
    quietAll();
  }, { once: true });
  const client = connection.share(lifetime);
  /** What is said in another's name is not about these friends. */
  const isMine = (): boolean => client.isOpen && client.user.peek()?.id === me && client.user.peek()?.guest === false;
  const watch = (): void => {
    const asked = looking ? client.request('watch_friends', {}).then((online) => listener.heard(online)) : client.request('unwatch_friends', {});
    // Without a connection there is nothing to watch; the next `welcome` asks again.
    asked.catch(() => undefined);
  };
  const welcomed = (): void => {
    if (lifetime.aborted || !isMine()) return;
    listener.welcomed();
    if (looking) watch();
  };
  client.listen((event) => {
    if (!isMine()) return;
    switch (event.type) {
      case 'welcome':
        welcomed();
        break;
      case 'presence':
      case 'friend_changed':
      case 'private_message':
      case 'messages_read':
        listener.heard(event);
        break;
      case 'call_ring': {
        const { call, from, watching = null, expires_at_ms: expiresAtMs } = event;
        const decline = (): void => { client.request('call', { ask: { ask: 'decline', call } }).catch(() => undefined); };
        rang({ call, from, watching, decline }, expiresAtMs - (client.clock.serverNow(performance.now()) ?? Date.now()));
        break;
      }
      case 'call_ring_over':
        quiet(event.call);
        break;
      default:
        // Of the match and its chat, which others on this connection are for.
    }
  }, lifetime);
  // The connection stood before: its welcome is missed.
  if (client.isOpen) queueMicrotask(welcomed);
  return {
    look: (on) => {
      if (looking === on) return;
      looking = on;
      if (isMine()) watch();
    },
  };
}
