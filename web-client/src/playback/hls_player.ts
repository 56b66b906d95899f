// What the HLS engine needs of a player, whichever plays: hls.js over Media Source, or the browser's own.
import type { Recorded, Rung } from './hls_time';

export type HlsFailure =
  /** There is nothing here that this browser could show, now or later. */
  | 'impossible'
  /** Another try may succeed. */
  | 'broken';

export type HlsPlayerOptions = {
  video: HTMLVideoElement;
  /** Of the master playlist, by a path that is open as it is: players send no token. */
  url: string;
  /** What `url` names is a recording, to be played from this media time on, ms since the Unix epoch. `null`: it is live. */
  fromMs: number | null;
  /** What the way has lately carried, bits per second. */
  carriesBps: number;
  failed: (failure: HlsFailure, what: string) => void;
};

export interface HlsPlayer {
  /** Smallest first; empty until the master playlist is there. */
  readonly rungs: readonly Rung[];
  /** The rung on screen, as an index. */
  readonly rung: number | null;
  /** Loads media and plays out of sight or on screen. Again and again without harm. */
  play(): void;
  /** `null`: the largest that fits. */
  choose(rung: number | 'lowest' | null): void;
  /** Media time at `seconds` of the element, ms since the Unix epoch. */
  mediaTimeAt(seconds: number): number | null;
  /** Of a recording: to another moment. */
  seek(mediaMs: number): void;
  /** What a recording reaches over, as far as is known. */
  recorded(): Recorded | null;
  /** Whether what is live keeps its own distance from the edge; off while somebody else says how far behind it is to be. */
  keepDistance(on: boolean): void;
  /** To the live edge, as near as is safe. */
  toLiveEdge(): void;
  codec(): string | null;
  close(): void;
}

export type MakeHlsPlayer = (options: HlsPlayerOptions) => HlsPlayer;
