// What a viewer's session can be doing, for the interface to draw. Types only; `viewer.ts` moves between them.
import type { Codec } from '../protocol';

/** Every state but `ended`, `not_found` and `refused` mends itself; `retry()` only makes it sooner. */
export type ViewerPhase =
  /** Nothing on screen yet, everything under way. */
  | { kind: 'connecting' }
  /** The broadcast exists, nobody has published yet. The picture will start by itself. */
  | { kind: 'waiting' }
  | { kind: 'playing' }
  /** There was a picture. `publisher`: the broadcaster vanished; `network`: our own way to the server is broken. */
  | { kind: 'reconnecting'; why: 'publisher' | 'network'; sinceMs: number }
  /** Final. */
  | { kind: 'ended' }
  /** `network`: signaling works, media does not get through. `codec`: this browser cannot decode `codec`. */
  | { kind: 'blocked'; reason: 'network' }
  | { kind: 'blocked'; reason: 'codec'; codec: Codec }
  /** The token is wrong, out of date or not enough. */
  | { kind: 'refused'; code: 'invalid_token' | 'token_expired' | 'forbidden' | 'unsupported_protocol' }
  /** No room on the server; tried again with back-off. */
  | { kind: 'full' }
  | { kind: 'not_found' };

/** The layer that is sent and the one being moved to; `null`: none. Indices into the broadcast's `layers`. */
export type LayerPosition = { current: number | null; target: number | null };

/** One reading a second. `null`: the browser does not tell. */
export type ViewerStats = {
  /** `udp` or `tcp`, and whether it goes through a relay. */
  transport: string | null;
  codec: string | null;
  width: number;
  height: number;
  framesPerSecond: number;
  /** Bits per second over the last second. */
  videoBps: number;
  audioBps: number;
  roundTripMs: number | null;
  /** 0..1 of the packets of the last second, before retransmission. */
  loss: number;
  /** Mean time that the frames of the last second spent in the jitter buffer. */
  jitterBufferMs: number | null;
  /** Mean decode time of the frames of the last second. */
  decodeMs: number | null;
  freezes: number;
  frozenMs: number;
  framesDropped: number;
  /** Whole delay, capture to screen, as in `latencyMs`. */
  totalDelayMs: number | null;
};
