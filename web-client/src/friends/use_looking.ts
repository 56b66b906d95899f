// Presence while somebody looks: from the first view that shows it to the last.
import { usePageVisible, useScope } from '../ui/hooks';
import type { Friends } from './friends';

export function useLooking(friends: Friends | null): void {
  const visible = usePageVisible();
  useScope((until) => { if (visible) friends?.look(until); }, [friends, visible]);
}
