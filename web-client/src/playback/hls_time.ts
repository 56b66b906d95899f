// The media time of what an HLS player shows: a place in the element's own time, through the fragment that holds it. Pure.

/** The part of hls.js's fragments that is needed. `start` in seconds of the element's time, `programDateTime` in ms since the Unix epoch. */
export type DatedFragment = { start: number; programDateTime: number | null };

/** `fragments` in order; `seconds` of the element's time, as frame callbacks name it. `null` before anything is known. */
export function mediaTimeAt(fragments: readonly DatedFragment[], seconds: number): number | null {
  let found: DatedFragment | null = null;
  for (const fragment of fragments) {
    if (fragment.programDateTime === null) continue;
    // A frame at a boundary belongs to what it begins, whichever way its time was rounded.
    if (found !== null && fragment.start > seconds + 0.001) break;
    found = fragment;
  }
  return found?.programDateTime == null ? null : found.programDateTime + (seconds - found.start) * 1000;
}

export type Rung = { height: number; bitrateBps: number };

/** The rung to begin on where the way has lately carried `bps`: the largest that leaves a good part of it free. Rungs are smallest first. */
export function firstRung(rungs: readonly Rung[], bps: number): number {
  const fits = rungs.findLastIndex(({ bitrateBps }) => bitrateBps <= bps * 0.7);
  return Math.max(0, fits);
}
