// What a publisher's session can be doing, for the Studio to draw. Types only; `publisher.ts` moves between them.
import type { Codec } from '../protocol';

export type PublisherPhase =
  /** On the way; not live yet. */
  | { kind: 'connecting' }
  | { kind: 'live' }
  /** Was live; the server keeps the place for a while. */
  | { kind: 'reconnecting'; sinceMs: number }
  /** Signaling works, media does not get out. Tried again by itself. */
  | { kind: 'blocked' }
  /** Someone else is publishing to this broadcast. */
  | { kind: 'taken' }
  /** `message` is the server's own words. */
  | { kind: 'refused'; code: string; message: string }
  | { kind: 'ended' };

/** One simulcast layer as the browser encodes it. */
export type SentLayer = {
  rid: string;
  width: number;
  height: number;
  framesPerSecond: number;
  bps: number;
  targetBps: number;
  active: boolean;
  limitedBy: Limitation;
};

/** Why the encoder makes less than it was asked for. */
export type Limitation = 'none' | 'cpu' | 'bandwidth' | 'other';

/** One reading a second. */
export type PublisherHealth = {
  /** Everything sent, bits per second. */
  uploadBps: number;
  /** Of the largest layer that is sent. */
  framesPerSecond: number;
  /** 0..1 of the packets of the last second, as the server reports it; `null` before its first report. */
  loss: number | null;
  roundTripMs: number | null;
  /** What the browser believes the network carries, bits per second. */
  availableBps: number | null;
  codec: Codec | null;
  /** Name of the encoder, as the browser tells it. */
  encoder: string | null;
  transport: string | null;
  limitedBy: Limitation;
  /** Largest first. */
  layers: SentLayer[];
};
