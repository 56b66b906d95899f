// Addresses and places. One signal says where the visitor is; links of this page are followed without loading it anew.
import { signal } from '@preact/signals';

export type Place =
  | { kind: 'home' }
  | { kind: 'watch'; slug: string }
  /** The chat of a broadcast in a window of its own. */
  | { kind: 'chat'; slug: string }
  | { kind: 'studio' }
  | { kind: (typeof PLAIN)[number]['kind'] }
  /** `person`: whose conversation is open. */
  | { kind: 'friends'; person: string | null }
  | { kind: 'nowhere' };

/** Places that are only their address. */
const PLAIN = [
  { kind: 'sign_in', path: '/sign-in' },
  { kind: 'sign_up', path: '/sign-up' },
  { kind: 'forgot', path: '/forgot-password' },
  { kind: 'account', path: '/account' },
  { kind: 'verify', path: '/account/verify' },
  { kind: 'reset', path: '/account/reset' },
] as const;

/** Which place an address names. Slugs are 1 to 64 of `a-z 0-9 -`; ids are in the same alphabet. */
export function placeOf(path: string): Place {
  const trimmed = path.length > 1 ? path.replace(/\/+$/, '') : path;
  if (trimmed === '/' || trimmed === '') return { kind: 'home' };
  if (trimmed === '/studio') return { kind: 'studio' };
  const plain = PLAIN.find(({ path: own }) => own === trimmed);
  if (plain) return { kind: plain.kind };
  const friends = /^\/friends(?:\/([a-z0-9]{1,32}))?$/.exec(trimmed);
  if (friends) return { kind: 'friends', person: friends[1] ?? null };
  const [, slug, chat] = /^\/watch\/([a-z0-9-]{1,64})(\/chat)?$/.exec(trimmed) ?? [];
  return slug === undefined ? { kind: 'nowhere' } : { kind: chat ? 'chat' : 'watch', slug };
}

/** The address of a place. */
export function pathOf(place: Exclude<Place, { kind: 'nowhere' }>): string {
  switch (place.kind) {
    case 'home': return '/';
    case 'studio': return '/studio';
    case 'watch': return `/watch/${place.slug}`;
    case 'chat': return `/watch/${place.slug}/chat`;
    case 'friends': return place.person === null ? '/friends' : `/friends/${place.person}`;
    default: return PLAIN.find(({ kind }) => kind === place.kind)?.path ?? '/';
  }
}

export const place = signal<Place>({ kind: 'home' });

/** Goes to an address of this page, as a new entry of the history. */
export function navigate(path: string): void {
  travelled = true;
  history.pushState(null, '', path);
  place.value = placeOf(location.pathname);
  scrollTo(0, 0);
}

/** As `navigate`, in place of the present entry of the history. */
export function replace(path: string): void {
  history.replaceState(null, '', path);
  place.value = placeOf(location.pathname);
}

let travelled = false;

/** A place has come up: after a move within the page, focus goes to its content, as a new page would. */
export function arrived(): void {
  if (travelled) document.getElementById('main')?.focus({ preventScroll: true });
}

/** Follows the history and the links of the page until `until` aborts. */
export function startRouter(until: AbortSignal): void {
  place.value = placeOf(location.pathname);
  addEventListener('popstate', () => {
    travelled = true;
    place.value = placeOf(location.pathname);
  }, { signal: until });
  document.addEventListener('click', (event) => {
    // New tabs, downloads and other sites stay the browser's own business.
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || link.origin !== location.origin || link.target || link.hasAttribute('download') || link.hash) return;
    if (placeOf(link.pathname).kind === 'nowhere') return;
    event.preventDefault();
    if (link.pathname !== location.pathname || link.search !== location.search) navigate(link.pathname + link.search);
  }, { signal: until });
}
