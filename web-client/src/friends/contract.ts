// What the server says about friends, presence and private messages: docs/api.md and docs/protocol.md, "Friends".

/** What a person is to whoever asks. */
export type Relation = 'none' | 'outgoing' | 'incoming' | 'friend' | 'blocked';

export type Person = { id: string; name: string; picture_version: number; relation?: Relation; follows?: boolean };

export type Watching = { broadcast: string; slug: string; title: string };

export type Presence = { online: boolean; watching?: Watching };

/** Answer to `GET /me/friends`. */
export type FriendList = {
  friends: Array<{ person: Person; since_ms: number; presence: Presence }>;
  incoming: Array<{ person: Person; at_ms: number }>;
  outgoing: Array<{ person: Person; at_ms: number }>;
  blocked: Person[];
};

/** Numbers count from 1 in each conversation and rise. */
export type PrivateMessage = { number: number; from: string; to: string; text: string; sent_at_ms: number };

export type Conversation = { person: Person; last: PrivateMessage; unread: number };

/** Answer to `GET /me/messages/{user}`: oldest first. `read_up_to` is ours, `seen_up_to` how far the other person has read. */
export type MessagePage = { messages: PrivateMessage[]; more: boolean; read_up_to: number; seen_up_to: number };

export type FriendOnline = { user: string; watching?: Watching };

/** What comes over signaling. */
export type Push =
  | { type: 'friends_online'; friends: FriendOnline[] }
  | { type: 'presence'; user: string; presence: Presence }
  | { type: 'friend_changed'; person: Person }
  | { type: 'private_message'; person: Person; message: PrivateMessage }
  | { type: 'messages_read'; user: string; reader: string; up_to: number };

/** At most, characters. */
export const MESSAGE_MAX = 2000;
/** From here on names are searched for. */
export const SEARCH_MIN = 2;
export const SEARCH_MAX = 40;
