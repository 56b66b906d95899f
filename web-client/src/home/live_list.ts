// The list of what is live, asked for every five seconds while someone looks. No DOM beyond the page's visibility.
import { signal, type ReadonlySignal } from '@preact/signals';
import { listBroadcasts } from '../lib/api';
import type { BroadcastView } from '../protocol';

/** `failed` only while there is nothing older to show. */
export type LiveList = { kind: 'loading' } | { kind: 'ready'; broadcasts: BroadcastView[] } | { kind: 'failed' };

const POLL_MS = 5_000;

/** Keeps a list up to date until `until` aborts. A hidden page asks nothing and asks at once when it is seen again. */
export function followLive(until: AbortSignal): { list: ReadonlySignal<LiveList>; ask: () => void } {
  const list = signal<LiveList>({ kind: 'loading' });
  let asking = false;
  const ask = async () => {
    if (asking || until.aborted || document.hidden) return;
    asking = true;
    try {
      const broadcasts = (await listBroadcasts({ signal: until })).filter(isOn).sort((a, b) => b.viewers - a.viewers);
      list.value = { kind: 'ready', broadcasts };
    } catch {
      if (list.peek().kind !== 'ready') list.value = { kind: 'failed' };
    } finally {
      asking = false;
    }
  };
  const timer = setInterval(ask, POLL_MS);
  until.addEventListener('abort', () => clearInterval(timer));
  document.addEventListener('visibilitychange', ask, { signal: until });
  void ask();
  return { list, ask: () => { list.value = { kind: 'loading' }; void ask(); } };
}

function isOn(broadcast: BroadcastView): boolean {
  return broadcast.state === 'live' || broadcast.state === 'reconnecting';
}

/** The one shown large: most viewers, but the present one stays until another has a fifth more, so that it does not flicker. */
export function chooseHero(broadcasts: readonly BroadcastView[], present: string | null): BroadcastView | null {
  const largest = broadcasts.reduce<BroadcastView | null>((best, next) => (!best || next.viewers > best.viewers ? next : best), null);
  const current = broadcasts.find((broadcast) => broadcast.id === present);
  if (current && largest && largest.viewers < Math.max(current.viewers + 2, current.viewers * 1.2)) return current;
  return largest;
}
