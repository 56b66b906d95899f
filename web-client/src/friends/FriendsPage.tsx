export function FriendsPage(_: { person: string | null }) { return null; }
