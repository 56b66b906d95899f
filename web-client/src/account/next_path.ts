// Where to go on after signing in: a place of this site and nothing else. Pure.
import { placeOf } from '../ui/router';

/** From `?next=/watch/final`. An address elsewhere, or one that leads back to the door, is not followed. */
export function nextPath(search: string): string {
  const next = new URLSearchParams(search).get('next') ?? '/';
  // Browsers read `//host` and `/\host` as another site.
  if (!/^\/(?![/\\])/.test(next)) return '/';
  const { kind } = placeOf(next.replace(/[?#].*$/, ''));
  return kind === 'nowhere' || kind === 'sign_in' || kind === 'sign_up' || kind === 'forgot' ? '/' : next;
}
