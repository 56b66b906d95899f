export function FriendsButton() { return null; }
