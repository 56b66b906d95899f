// How far apart the pictures of twenty members of one call are: real signaling, the real server, the page's own controller for each of them, and a
// picture that is simulated.
//
// A picture is on screen so long after its frame was taken: the way, then the receiver's buffer, then the next beat of the screen. The buffer
// follows what is asked of it as Chromium's does. What is compared is the moment of the frame on each screen, as it is read off real pages.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { SocketClient } from '../support/socket_client.mjs';
import { quantile, rounded } from './report.mjs';

const CLIENT = fileURLToPath(new URL('../../../web-client/', import.meta.url));
const MEMBERS = 20;
const FRAME_MS = 1_000 / 60;
const SCREEN_MS = 1_000 / 60;
/** As `playback/session.ts`. */
const BEAT_MS = 30;
const PACE_EVERY_MS = 1_000;
/** Chromium moves the delay of its picture by this much at most, ms a second, and begins so long after it was asked, ms. */
const BUFFER_MS_PER_S = 100;
const BUFFER_FOLLOWS_MS = 500;
/** What a page takes for the server's clock is wrong by up to this much: a way there is not as long as the way back, ms. */
const CLOCK_ERROR_MS = 5;
/** Packets come later than the quickest by up to this much, and buffers are as large, ms. */
const JITTER_MS = [5, 30];
const WAYS_MS = [15, 140];
/** The buffer itself, ms a second: jitter is measured anew all the time. */
const BUFFER_DRIFTS_MS = 6;
/** Ways that grow in the second minute: by how much, over how long, after how long, ms. */
const GROWS = [{ member: 3, byMs: 120, overMs: 6_000, afterMs: 10_000 }, { member: 11, byMs: 60, overMs: 2_000, afterMs: 35_000 }];
const SETTLE_MS = 10_000;
const MINUTE_MS = 60_000;
const LOOK_MS = 50;
const SEED = 20_261_127;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The same numbers from 0 to 1 each time (mulberry32). */
function numbersOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The page's own controller, out of its sources. */
async function controllers() {
  const { rolldown } = await import(pathToFileURL(join(CLIENT, 'node_modules/rolldown/dist/index.mjs')));
  const folder = mkdtempSync(join(tmpdir(), 'same-moment-'));
  try {
    const entry = join(folder, 'entry.ts');
    const from = (name) => JSON.stringify(join(CLIENT, 'src/playback', name));
    writeFileSync(entry, `export { SameMoment } from ${from('same_moment.ts')};\nexport { BufferRamp } from ${from('ramp.ts')};\n`);
    const bundle = await rolldown({ input: entry });
    await bundle.write({ dir: folder, format: 'esm', entryFileNames: 'controllers.mjs' });
    return await import(pathToFileURL(join(folder, 'controllers.mjs')));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One member's picture and what steers it. */
class Screen {
  targetMs = null;
  /** The newest frame on it, as its number. */
  frame = null;
  #behindMs = null;
  #extraMs = 0;
  #asked = [];
  #at = null;

  constructor({ SameMoment, BufferRamp }, random) {
    const between = ([least, most]) => least + (most - least) * random();
    this.moment = new SameMoment();
    this.ramp = new BufferRamp();
    this.random = random;
    this.wayMs = between(WAYS_MS);
    this.jitterMs = between(JITTER_MS);
    this.ownBufferMs = this.jitterMs + 25;
    this.clockMs = between([-CLOCK_ERROR_MS, CLOCK_ERROR_MS]);
    this.phaseMs = SCREEN_MS * random();
    this.driftAt = 6.28 * random();
    this.bufferMs = this.ownBufferMs;
    this.grown = null;
  }

  grow(byMs, overMs, now) {
    this.grown = { byMs, overMs, from: now };
  }

  /** How long frames take to get here now, ms. */
  way(now) {
    const share = this.grown ? Math.min(1, (now - this.grown.from) / this.grown.overMs) : 0;
    return this.wayMs + (this.grown?.byMs ?? 0) * share;
  }

  /** `now`: of the wall clock, which is the server's. */
  beat(now) {
    const passedS = this.#at === null ? 0 : (now - this.#at) / 1_000;
    this.#at = now;
    const own = this.ownBufferMs + BUFFER_DRIFTS_MS * Math.sin(now / 4_000 + this.driftAt);
    const asked = this.#asked.findLast(({ at }) => at <= now - BUFFER_FOLLOWS_MS)?.ms ?? 0;
    const wanted = Math.max(own, asked);
    const most = BUFFER_MS_PER_S * passedS;
    this.bufferMs += Math.max(-most, Math.min(most, wanted - this.bufferMs));
    // What is on screen: the newest frame whose beat of the screen has been. Each takes the buffer's time, whatever its own jitter was.
    const late = this.way(now) + this.bufferMs + 3 * this.random();
    const beat = Math.floor((now - this.phaseMs) / SCREEN_MS) * SCREEN_MS + this.phaseMs;
    const frame = Math.floor((beat - late) / FRAME_MS);
    if (this.frame === null || frame > this.frame) {
      this.frame = frame;
      this.#behindMs = beat + this.clockMs - frame * FRAME_MS;
    }
    const heldMs = this.#asked.at(-1)?.ms ?? null;
    const { webrtc } = this.moment.handle(now, { engine: 'webrtc', behindMs: this.#behindMs, heldMs, bufferMs: this.bufferMs, isLive: true, isStarved: false }, this.targetMs);
    const { video } = this.ramp.handle(now, { wantedMs: webrtc?.wantedMs ?? null, latencyMs: webrtc?.latencyMs ?? null, onScreen: true });
    if (video !== heldMs) this.#asked = [...this.#asked, { at: now, ms: video }].slice(-100);
  }
}

/** Everybody in one call on `slug`: the first has begun it, the others came by its link. */
async function gather(server, slug, screens) {
  const clients = [];
  const heardBy = (screen) => (message) => {
    if (message.type === 'call_paced') screen.targetMs = message.behind_ms;
    else if (message.type === 'call' && message.call.pace_ms !== undefined) screen.targetMs = message.call.pace_ms;
  };
  const signedUp = await fetch(`${server.url}/api/v1/auth/sign-up`, {
    method: 'POST', headers: { 'content-type': 'application/json', 'x-courtside': 'test' },
    body: JSON.stringify({ name: 'Twenty', email: `twenty.${slug}@example.org`, password: 'correct horse battery' }),
  });
  if (!signedUp.ok) throw new Error(`no account: ${signedUp.status} ${await signedUp.text()}`);
  let invitation = null;
  let call = null;
  for (const [index, screen] of screens.entries()) {
    const client = await SocketClient.open(server.url, heardBy(screen), index === 0 ? (await signedUp.json()).token : null);
    clients.push(client);
    await client.request('join', { broadcast: slug });
    const ask = index === 0 ? { ask: 'start', ring: [] } : { ask: 'join', call, invitation };
    const entered = await client.request('call', { ask });
    await client.request('call', { ask: { ask: 'present', microphone: true, camera: false, screen: false } });
    if (entered.call.pace_ms !== undefined) screen.targetMs = entered.call.pace_ms;
    if (index > 0) continue;
    call = entered.call.id;
    ({ invitation } = await client.request('call', { ask: { ask: 'link' } }));
  }
  return clients;
}

/** The distance between the first and the last of the pictures, ms, over a while. */
async function apart(screens, ms) {
  const found = [];
  const until = performance.now() + ms;
  while (performance.now() < until) {
    await pause(LOOK_MS);
    const frames = screens.map(({ frame }) => frame).filter((frame) => frame !== null);
    if (frames.length === screens.length) found.push((Math.max(...frames) - Math.min(...frames)) * FRAME_MS);
  }
  return found.toSorted((a, b) => a - b);
}

/** Rows: a minute in which nothing changes, and one in which two ways grow. `slug`: of a broadcast that is there. */
export async function twentyApart(server, slug) {
  const controller = await controllers();
  const random = numbersOf(SEED);
  const screens = Array.from({ length: MEMBERS }, () => new Screen(controller, random));
  const clients = await gather(server, slug, screens);
  const timers = screens.flatMap((screen, index) => [
    setInterval(() => screen.beat(Date.now()), BEAT_MS),
    setInterval(() => {
      const pace = screen.moment.pace();
      if (pace) clients[index].tell({ type: 'call_pace', pace: { behind_ms: pace.behindMs, least_ms: pace.leastMs } });
    }, PACE_EVERY_MS),
  ]);
  try {
    await pause(SETTLE_MS);
    const still = await apart(screens, MINUTE_MS);
    const growing = GROWS.map(({ member, byMs, overMs, afterMs }) => setTimeout(() => screens[member].grow(byMs, overMs, Date.now()), afterMs));
    const grown = await apart(screens, MINUTE_MS);
    for (const timer of growing) clearTimeout(timer);
    const row = (name, values, share, more = {}) => ({ name: `calls.twenty.${name}`, value: rounded(quantile(values, share)), unit: 'ms', ...more });
    return [
      row('skew.p50', still, 0.5),
      row('skew.p95', still, 0.95, { aim: 60, gate: true }),
      row('grown.p50', grown, 0.5),
      row('grown.p95', grown, 0.95, { aim: 60 }),
      row('grown.most', grown, 1),
      { name: 'calls.twenty.pace', value: rounded(screens[0].targetMs ?? NaN), unit: 'ms' },
    ];
  } finally {
    for (const timer of timers) clearInterval(timer);
    for (const client of clients) client.close();
  }
}
