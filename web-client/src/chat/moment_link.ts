// The moment on the match's screen, told to the chat's own window: between the two pages of one browser, without the server.

/** Told so often, ms. */
const EVERY_MS = 200;
/** Without a word for this long there is no such page any more, ms. */
const SILENT_MS = 2_000;

type Told = { moment: number | null | undefined };

const channelOf = (slug: string): BroadcastChannel => new BroadcastChannel(`courtside.moment.${slug}`);

/** Tells `read()` until `until` aborts. */
export function tellMoment(slug: string, read: () => number | null | undefined, until: AbortSignal): void {
  const channel = channelOf(slug);
  const timer = setInterval(() => channel.postMessage({ moment: read() } satisfies Told), EVERY_MS);
  until.addEventListener('abort', () => {
    clearInterval(timer);
    channel.close();
  }, { once: true });
}

/** What is told, as a function of local time (`performance.now()` ms). `undefined` until it is known whether anybody tells. */
export function hearMoment(slug: string, until: AbortSignal): (localMs: number) => number | null | undefined {
  const channel = channelOf(slug);
  const openedMs = performance.now();
  let last: { moment: number | null | undefined; atMs: number } | null = null;
  channel.addEventListener('message', ({ data }: MessageEvent<Told>) => {
    last = { moment: data.moment, atMs: performance.now() };
  }, { signal: until });
  until.addEventListener('abort', () => channel.close(), { once: true });
  return (localMs) => {
    if (!last) return localMs - openedMs < SILENT_MS ? undefined : null;
    const age = localMs - last.atMs;
    if (age >= SILENT_MS) return null;
    // Never ahead of what was told: a picture may have stopped since.
    return last.moment;
  };
}
