// The identity token: one per browser, kept between visits, so that a guest stays the same person.

const KEY = 'courtside.identity';

/** Storage may be forbidden (private windows, embedded pages): then the identity lives as long as the page. */
let fallback: string | null = null;

export function storedIdentity(): string | null {
  try {
    return localStorage.getItem(KEY) ?? fallback;
  } catch {
    return fallback;
  }
}

/** `null` forgets it. */
export function storeIdentity(token: string | null): void {
  fallback = token;
  try {
    if (token === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, token);
  } catch {
    // Kept in `fallback`.
  }
}
