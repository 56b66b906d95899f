// Which phase a viewer's session is in, from the facts. Pure, so that every combination can be tested.
import type { BroadcastState, Codec } from '../protocol';
import type { RequestError } from './errors';
import type { ViewerPhase } from './viewer_state';

export type ViewerFacts = {
  /** Why joining failed, until it succeeds. */
  failure: RequestError | null;
  /** `null` before the first join. */
  state: BroadcastState | null;
  /** A picture (or, in sound only, sound) has been there. */
  hadPicture: boolean;
  /** Media arrived within the last moments. */
  flowing: boolean;
  /** No transport connects. */
  blocked: boolean;
  cannotDecode: Codec | null;
  /** The publisher is back, its first frame is not. */
  publisherReturning: boolean;
  /** Since when there has been no media, server-independent, `performance.now()` ms. */
  silentSinceMs: number;
};

export function phaseOf(facts: ViewerFacts): ViewerPhase {
  const final = finalPhase(facts);
  if (final) return final;
  if (facts.failure?.code === 'full') return { kind: 'full' };
  if (facts.state === null) return { kind: 'connecting' };
  if (facts.state === 'idle') return { kind: 'waiting' };
  if (facts.state === 'reconnecting') return { kind: 'reconnecting', why: 'publisher', sinceMs: facts.silentSinceMs };
  if (facts.cannotDecode) return { kind: 'blocked', reason: 'codec', codec: facts.cannotDecode };
  if (facts.flowing && facts.hadPicture) return { kind: 'playing' };
  if (facts.publisherReturning) return { kind: 'reconnecting', why: 'publisher', sinceMs: facts.silentSinceMs };
  if (facts.blocked) return { kind: 'blocked', reason: 'network' };
  if (facts.hadPicture) return { kind: 'reconnecting', why: 'network', sinceMs: facts.silentSinceMs };
  return { kind: 'connecting' };
}

function finalPhase(facts: ViewerFacts): ViewerPhase | null {
  const code = facts.failure?.code;
  if (facts.state === 'ended' || code === 'ended') return { kind: 'ended' };
  if (code === 'not_found') return { kind: 'not_found' };
  if (code === 'invalid_token' || code === 'token_expired' || code === 'forbidden' || code === 'unsupported_protocol') {
    return { kind: 'refused', code };
  }
  return null;
}

/** Whether nothing changed that anyone would say differently; a silence keeps the moment at which it began. */
export function samePhase(a: ViewerPhase, b: ViewerPhase): boolean {
  if (a.kind === 'reconnecting' && b.kind === 'reconnecting') return a.why === b.why;
  return JSON.stringify(a) === JSON.stringify(b);
}
