// Who is what to us: friends with their presence, requests, the blocked. Pure: each step takes what was known and what came, and gives what is.
import type { FriendLists, FriendOnline, Person, Presence } from '../protocol';

export type Friend = { person: Person; presence: Presence };

export type Circle = { friends: readonly Friend[]; incoming: readonly Person[]; outgoing: readonly Person[]; blocked: readonly Person[] };

export const NOBODY: Circle = { friends: [], incoming: [], outgoing: [], blocked: [] };

const OFFLINE: Presence = { online: false };

/** The whole list, as the server gives it. */
export function circleOf(list: FriendLists): Circle {
  return {
    friends: inOrder(list.friends.map(({ person, presence }) => ({ person, presence }))),
    incoming: [...list.incoming].sort((a, b) => b.at_ms - a.at_ms).map(({ person }) => person),
    outgoing: [...list.outgoing].sort((a, b) => b.at_ms - a.at_ms).map(({ person }) => person),
    blocked: list.blocked,
  };
}

/** Somebody has become something else to us: they leave where they were and stand where they belong. */
export function changed(circle: Circle, person: Person): Circle {
  const others = (people: readonly Person[]): Person[] => people.filter(({ id }) => id !== person.id);
  const before = circle.friends.find((friend) => friend.person.id === person.id);
  const rest: Circle = {
    friends: circle.friends.filter((friend) => friend.person.id !== person.id),
    incoming: others(circle.incoming), outgoing: others(circle.outgoing), blocked: others(circle.blocked),
  };
  switch (person.relation) {
    case 'friend': return { ...rest, friends: inOrder([...rest.friends, { person, presence: before?.presence ?? OFFLINE }]) };
    case 'incoming': return { ...rest, incoming: [person, ...rest.incoming] };
    case 'outgoing': return { ...rest, outgoing: [person, ...rest.outgoing] };
    case 'blocked': return { ...rest, blocked: [person, ...rest.blocked] };
    case 'none': case undefined: return rest;
  }
}

/** All who are online now; the others are not. */
export function onlineNow(circle: Circle, online: readonly FriendOnline[]): Circle {
  const by = new Map(online.map(({ user, watching }) => [user, watching]));
  const friends = circle.friends.map(({ person }) => {
    const watching = by.get(person.id);
    return { person, presence: by.has(person.id) ? { online: true, ...(watching ? { watching } : {}) } : OFFLINE };
  });
  return { ...circle, friends: inOrder(friends) };
}

export function presenceOf(circle: Circle, user: string, presence: Presence): Circle {
  return { ...circle, friends: inOrder(circle.friends.map((friend) => (friend.person.id === user ? { ...friend, presence } : friend))) };
}

/** What somebody is to us, with what is known of them; `null`: nothing. */
export function find(circle: Circle, id: string): Person | null {
  const friend = circle.friends.find(({ person }) => person.id === id);
  return friend?.person ?? [...circle.incoming, ...circle.outgoing, ...circle.blocked].find((person) => person.id === id) ?? null;
}

/** Friends at the same match stand together, the fullest first. */
export function byMatch(friends: readonly Friend[]): Array<{ slug: string; title: string; friends: Friend[] }> {
  const matches = new Map<string, { slug: string; title: string; friends: Friend[] }>();
  for (const friend of friends) {
    const { watching } = friend.presence;
    if (!watching) continue;
    const match = matches.get(watching.broadcast) ?? { slug: watching.slug, title: watching.title, friends: [] };
    match.friends.push(friend);
    matches.set(watching.broadcast, match);
  }
  return [...matches.values()].sort((a, b) => b.friends.length - a.friends.length || a.title.localeCompare(b.title));
}

const rank = ({ online, watching }: Presence): number => (watching ? 0 : online ? 1 : 2);

/** Who watches, then who is there, then the others; each by name. */
function inOrder(friends: readonly Friend[]): Friend[] {
  return [...friends].sort((a, b) => rank(a.presence) - rank(b.presence) || a.person.name.localeCompare(b.person.name));
}
