// The one retry policy: exponential, capped, jittered. Pure; the caller owns the timer.

/** First delay, ms. */
const BASE_MS = 250;
/** Longest delay, ms: a person who watches a spinner should not wait longer than this for news. */
export const BACKOFF_CAP_MS = 8_000;

/** Delay before try number `attempt` (0 = first retry). `random` in 0..1; the upper half is jitter, so that a crowd spreads out. */
export function backoffMs(attempt: number, random: number): number {
  const whole = Math.min(BACKOFF_CAP_MS, BASE_MS * 2 ** Math.min(attempt, 16));
  return whole / 2 + (whole / 2) * random;
}
