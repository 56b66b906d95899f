// What is pushed about friends: a connection of its own while somebody is signed in, which also tells friends that they are here.
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

const PUSHES: ReadonlySet<string> = new Set<Push['type']>(['friends_online', 'presence', 'friend_changed', 'private_message', 'messages_read']);

function isPush(message: { type: string }): message is Push {
  return PUSHES.has(message.type);
}

/** Lives until `lifetime` aborts. */
export function openLink(listener: LinkListener, lifetime: AbortSignal): Link {
  const client = new SignalingClient({ url: signalingUrl(location.href), lifetime });
  let looking = false;
  // The protocol's friends are typed in `contract.ts`.
  const ask = client.request.bind(client) as unknown as (type: 'watch_friends' | 'unwatch_friends', body: object) => Promise<{ type: string }>;
  const watch = (): void => {
    ask(looking ? 'watch_friends' : 'unwatch_friends', {}).then((answer) => { if (isPush(answer)) listener.heard(answer); }, () => {
      // Without a connection there is nothing to watch; the next `welcome` asks again.
    });
  };
  client.listen((event: { type: string }) => {
    if (event.type === 'welcome') {
      listener.welcomed();
      if (looking) watch();
    } else if (isPush(event)) {
      listener.heard(event);
    }
  }, lifetime);
  return {
    look: (on) => {
      if (looking === on) return;
      looking = on;
      if (client.isOpen) watch();
    },
  };
}
