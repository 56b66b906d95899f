// What changed between two views of a call that is worth a word. Pure.
import type { CallPlay, CallView, MemberId } from '../protocol';

export type CallNews =
  /** `absent`: was rung, and does not come. */
  | { kind: 'joined' | 'left' | 'absent'; name: string }
  /** By the host. */
  | { kind: 'silenced' }
  /** As many show their picture as may: theirs has been turned off. */
  | { kind: 'unseen' }
  | { kind: 'hosting' }
  | { kind: 'played'; name: string | null; play: CallPlay };

export function newsOf(before: CallView, now: CallView, me: MemberId | null): CallNews[] {
  const had = new Set(before.members.map(({ id }) => id));
  const has = new Set(now.members.map(({ id }) => id));
  const users = new Set(now.members.map(({ user }) => user));
  const wasSilenced = before.members.find(({ id }) => id === me)?.silenced ?? false;
  return [
    ...now.members.filter(({ id }) => !had.has(id) && id !== me).map(({ name }): CallNews => ({ kind: 'joined', name })),
    // Who comes back under another number has not left.
    ...before.members.filter(({ id, user }) => !has.has(id) && id !== me && !users.has(user)).map(({ name }): CallNews => ({ kind: 'left', name })),
    ...before.ringing.filter(({ user }) => !users.has(user) && !now.ringing.some((one) => one.user === user)).map(({ name }): CallNews => ({ kind: 'absent', name })),
    ...(now.members.some(({ id, silenced }) => id === me && silenced) && !wasSilenced ? [{ kind: 'silenced' } as const] : []),
    ...(now.host === me && before.host !== me ? [{ kind: 'hosting' } as const] : []),
  ];
}
