// The friends of whoever is signed in on this page; their code comes when there is somebody to have friends.
import { type ReadonlySignal, computed, effect, signal, untracked } from '@preact/signals';
import { backoffMs } from '../lib/backoff';
import { theBearer } from '../lib/bearer';
import type { Friends } from './friends';

const current = signal<Friends | null>(null);
let following = false;

/** `null` for guests, and until the code is there. */
export function theFriends(): ReadonlySignal<Friends | null> {
  if (following) return current;
  following = true;
  let life = new AbortController();
  const me = computed(() => { const who = theBearer().who.value; return who.kind === 'account' ? who.known.id : null; });
  effect(() => {
    const id = me.value;
    life.abort();
    life = new AbortController();
    untracked(() => { current.value = null; });
    if (id !== null) void open(id, life.signal, 0);
  });
  return current;
}

async function open(id: string, lifetime: AbortSignal, attempt: number): Promise<void> {
  try {
    const { friendsOf } = await import('./friends');
    if (!lifetime.aborted) current.value = friendsOf(id, lifetime);
  } catch {
    // The network may be back at the next try; whoever opens the page is told by the page.
    const timer = setTimeout(() => void open(id, lifetime, attempt + 1), backoffMs(3 + attempt, Math.random()));
    lifetime.addEventListener('abort', () => clearTimeout(timer), { once: true });
  }
}
