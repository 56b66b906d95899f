// Room for friends on Home: what is drawn there comes with the friends themselves.
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { theFriends } from './of_me';

export function FriendsHere() {
  const friends = theFriends().value;
  const [loaded, setLoaded] = useState<{ component: ComponentType } | null>(null);
  useEffect(() => {
    // Not needed for the page: where it does not come, Home is without it.
    if (friends) import('./FriendsWatching').then((module) => setLoaded({ component: module.FriendsWatching }), () => undefined);
  }, [friends]);
  const Component = loaded?.component;
  return friends && Component ? <Component /> : null;
}
