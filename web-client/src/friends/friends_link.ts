// What is pushed about friends: a connection of its own while somebody is signed in, which also tells friends that they are here.
import { quiet, quietAll, rang } from '../call/rings';
import { signalingUrl, SignalingClient } from '../lib/signaling';
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

/** Lives until `lifetime` aborts. */
export function openLink(listener: LinkListener, lifetime: AbortSignal): Link {
  const client = new SignalingClient({ url: signalingUrl(location.href), lifetime });
  let looking = false;
  const watch = (): void => {
    const asked = looking ? client.request('watch_friends', {}).then((online) => listener.heard(online)) : client.request('unwatch_friends', {});
    // Without a connection there is nothing to watch; the next `welcome` asks again.
    asked.catch(() => undefined);
  };
  client.listen((event) => {
    switch (event.type) {
      case 'welcome':
        listener.welcomed();
        if (looking) watch();
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
        // Of matches and chats, which this connection is not for.
    }
  }, lifetime);
  lifetime.addEventListener('abort', quietAll, { once: true });
  return {
    look: (on) => {
      if (looking === on) return;
      looking = on;
      if (client.isOpen) watch();
    },
  };
}
