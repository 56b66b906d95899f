// The server's clock as this page sees it: an offset from the monotone local clock, from the ping with the shortest round trip.
//
// All local times are `performance.now()` ms, because `Date.now()` jumps when the machine sets its clock.

type Sample = { offsetMs: number; roundTripMs: number; atMs: number };

/** Samples kept; with a ping every few seconds this spans a minute or more. */
const KEPT = 16;
/** Older samples are dropped: crystals drift by up to 50 ppm, 6 ms in two minutes. */
const MAX_AGE_MS = 120_000;

export class ServerClock {
  #samples: Sample[] = [];

  /** Takes in one exchange: sent and received by the local clock, answered by the server's (ms since the Unix epoch). */
  sample(sentMs: number, serverMs: number, receivedMs: number): void {
    const roundTripMs = receivedMs - sentMs;
    if (roundTripMs < 0 || !Number.isFinite(serverMs)) return;
    const fresh = this.#samples.filter((old) => receivedMs - old.atMs < MAX_AGE_MS);
    this.#samples = [...fresh, { offsetMs: serverMs - (sentMs + receivedMs) / 2, roundTripMs, atMs: receivedMs }].slice(-KEPT);
  }

  /** Server time at local time `localMs`, ms since the Unix epoch; `null` before the first exchange. */
  serverNow(localMs: number): number | null {
    const best = this.#best();
    return best && localMs + best.offsetMs;
  }

  /** Local time at which the server's clock shows `serverMs`. */
  localTime(serverMs: number): number | null {
    const best = this.#best();
    return best && serverMs - best.offsetMs;
  }

  /** Shortest round trip of the samples kept, ms. The offset is wrong by at most half of it. */
  get roundTripMs(): number | null {
    return this.#best()?.roundTripMs ?? null;
  }

  #best(): Sample | null {
    return this.#samples.reduce<Sample | null>((best, next) => (!best || next.roundTripMs <= best.roundTripMs ? next : best), null);
  }
}
