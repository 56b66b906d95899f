// The broadcast that this tab made, kept across a reload, so that the Studio can take its place back within the server's return window.

export type OwnBroadcast = { id: string; slug: string; token: string; whipUrl: string; watchUrl: string; source: 'camera' | 'screen' | 'encoder' };

const KEY = 'courtside.studio';

/** The publish token is a secret of this tab: session storage, never local storage. */
export function storedBroadcast(): OwnBroadcast | null {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? 'null');
    return typeof stored === 'object' && stored !== null && 'token' in stored ? (stored as OwnBroadcast) : null;
  } catch {
    return null;
  }
}

export function storeBroadcast(broadcast: OwnBroadcast | null): void {
  try {
    if (broadcast) sessionStorage.setItem(KEY, JSON.stringify(broadcast));
    else sessionStorage.removeItem(KEY);
  } catch {
    // Without storage a reload starts a new broadcast; nothing else is lost.
  }
}
