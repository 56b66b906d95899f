// Waiting for a condition, with a deadline and the last thing seen in the message. Tests never wait for time to pass.
import { setTimeout as pause } from 'node:timers/promises';

const LOOK_EVERY_MS = 50;

/** Resolves with the first truthy value of `look`. What `look` throws counts as "not yet". */
export async function until(what, look, { within = 10_000 } = {}) {
  const deadline = Date.now() + within;
  let last;
  do {
    try {
      last = await look();
      if (last) return last;
    } catch (thrown) {
      last = thrown;
    }
    await pause(LOOK_EVERY_MS);
  } while (Date.now() < deadline);
  const seen = last instanceof Error ? last.message : JSON.stringify(last);
  throw new Error(`waited ${within} ms for ${what}; last seen: ${seen}`);
}
