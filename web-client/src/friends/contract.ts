// What is said about friends over signaling, and the bounds of what is typed (docs/api.md, "Friends and messages").
import type { FriendOnline, ServerMessage } from '../protocol';

/** What is pushed, and who is online when presence is first asked for. */
export type Push = Extract<ServerMessage, { type: 'presence' | 'friend_changed' | 'private_message' | 'messages_read' }> | { type: 'friends_online'; friends: FriendOnline[] };

/** From here on names are searched for. */
export const SEARCH_MIN = 2;
export const SEARCH_MAX = 40;
