// The token that a link to the Studio carries (`/studio?token=…`): kept for this tab and taken out of the address, so that a screen which is
// shared does not show it.

import type { UserView } from '../protocol';

/** `broadcast`: the id or slug of the one broadcast that it is good for; `null` when it is good for any. */
export type Invitation = { token: string; broadcast: string | null };

const KEY = 'courtside.invitation';

/** From the address when it carries one, else from this tab's storage. */
export function takeInvitation(): Invitation | null {
  const url = new URL(location.href);
  const carried = url.searchParams.get('token');
  if (carried !== null) {
    url.searchParams.delete('token');
    history.replaceState(history.state, '', url);
    keep(carried || null);
  }
  const token = carried || kept();
  return token ? { token, broadcast: broadcastOf(token) } : null;
}

/** It has run out, or was never good. */
export function dropInvitation(): void {
  keep(null);
}

/** What the token itself says, unverified: the server judges it, this only chooses what to ask for. */
export function broadcastOf(token: string): string | null {
  const { broadcast } = claimsOf(token);
  return typeof broadcast === 'string' ? broadcast : null;
}

/** Who its bearer is, as the token itself says: the server speaks of them under this id and name. `null`: nobody. */
export function personOf(token: string): UserView | null {
  const { sub, name, guest } = claimsOf(token);
  return typeof sub === 'string' && typeof name === 'string' ? { id: sub, name, guest: guest === true } : null;
}

function claimsOf(token: string): Partial<Record<'broadcast' | 'sub' | 'name' | 'guest', unknown>> {
  try {
    const text = atob((token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/'));
    const claims: unknown = JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (byte) => byte.charCodeAt(0))));
    return typeof claims === 'object' && claims !== null ? claims : {};
  } catch {
    return {};
  }
}

/** Storage may be forbidden: then it lasts until the next reload. */
let fallback: string | null = null;

function kept(): string | null {
  try {
    return sessionStorage.getItem(KEY) ?? fallback;
  } catch {
    return fallback;
  }
}

function keep(token: string | null): void {
  fallback = token;
  try {
    if (token === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  } catch {
    // Kept in `fallback`.
  }
}
