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

/** How much of the element's time a fragment fills, s. */
export type PlacedFragment = DatedFragment & { duration: number };

/** The place in the element's time that shows `mediaMs`, or what comes next where nothing was recorded then. `null` before anything is known. */
export function secondsAt(fragments: readonly PlacedFragment[], mediaMs: number): number | null {
  let place: number | null = null;
  for (const { start, duration, programDateTime } of fragments) {
    if (programDateTime === null) continue;
    if (place !== null && programDateTime > mediaMs) {
      // Media time jumps where the publisher was away: what was wanted lies in between.
      return Math.min(place, start);
    }
    place = start + Math.min(duration, Math.max(0, (mediaMs - programDateTime) / 1000));
  }
  return place;
}

export type Recorded = { fromMs: number; toMs: number };

/** Media time from the first to the last of what can be played. */
export function recordedOf(fragments: readonly PlacedFragment[]): Recorded | null {
  const [first, last] = [fragments[0]?.programDateTime ?? null, fragments.at(-1)];
  return first === null || last?.programDateTime == null ? null : { fromMs: first, toMs: last.programDateTime + last.duration * 1000 };
}

/** A media playlist that asks to be begun at `mediaMs` (RFC 8216, EXT-X-START); any other text as it was. */
export function beginningAt(playlist: string, mediaMs: number): string {
  const fragments: PlacedFragment[] = [];
  let programDateTime: number | null = null;
  let start = 0;
  for (const line of playlist.split('\n')) {
    if (line.startsWith('#EXT-X-PROGRAM-DATE-TIME:')) programDateTime = Date.parse(line.slice(line.indexOf(':') + 1));
    if (!line.startsWith('#EXTINF:')) continue;
    const duration = Number.parseFloat(line.slice(line.indexOf(':') + 1));
    fragments.push({ start, duration, programDateTime });
    start += duration;
    programDateTime = null;
  }
  const at = secondsAt(fragments, mediaMs);
  return at === null ? playlist : playlist.replace('#EXTM3U\n', `#EXTM3U\n#EXT-X-START:TIME-OFFSET=${at.toFixed(3)},PRECISE=YES\n`);
}
