// Whether this page is with friends, or is about to be: what the first page needs to know of calls. Everything else of them comes on demand.
import { effect, signal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { takeCallLink } from '../call/address';
import type { Party } from '../call/party';
import type { WatchSession } from '../playback/session';
import { place } from '../ui/router';

export type FriendsWish =
  | { kind: 'start' }
  | { kind: 'join'; call: string; invitation: string | null }
  /** Nothing but a raised hand. */
  | { kind: 'hand' };

export class WithFriends {
  /** What somebody has asked for and has not got or given up yet. */
  readonly wish = signal<FriendsWish | null>(null);
  /** `null` until the code of calls is there. */
  readonly party = signal<Party | null>(null);
  /** The broadcaster has asked this person on air before anything of calls was there; until when, ms since the Unix epoch. */
  readonly askedOnAir = signal<number | null>(null);

  /** The button, the key: to the call, or the dialog before one. */
  press(): void {
    const party = this.party.peek();
    if (party?.call.isOn.peek()) party.show();
    else this.wish.value = { kind: 'start' };
  }

  /** Up, or down again. */
  raiseHand(): void {
    const party = this.party.peek();
    if (party) party.try(party.raiseHand(!party.air.isRaised.peek()));
    else this.wish.value = { kind: 'hand' };
  }

  get isHandRaised(): boolean {
    return this.party.value?.air.isRaised.value ?? false;
  }

  /** Whether anything of calls is needed on this page. */
  get isNeeded(): boolean {
    return this.wish.value !== null || this.party.value !== null || this.askedOnAir.value !== null;
  }

  get isOn(): boolean {
    return this.party.value?.call.isOn.value ?? false;
  }
}

export function useWithFriends(session: WatchSession, life: AbortSignal): WithFriends {
  const friends = useMemo(() => {
    const made = new WithFriends();
    session.client.listen((event) => {
      if (event.type === 'on_air_invited' && made.party.peek() === null) made.askedOnAir.value = event.expires_at_ms;
    }, life);
    return made;
  }, [session, life]);
  useEffect(() => effect(() => {
    // A link that is followed on the page it leads to changes the address alone.
    if (place.value.kind !== 'watch') return;
    const link = takeCallLink();
    const known = friends.party.peek()?.call;
    if (link && !(known?.isOn.peek() && known.view.peek()?.id === link.call)) friends.wish.value = { kind: 'join', ...link };
  }), [friends]);
  return friends;
}
