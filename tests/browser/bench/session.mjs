// One session across WebRTC and HLS: what a person sees when WebRTC's media dies, when it comes back, and where it never came.
//
//   session.mjs [--json] [--cuts=10] [--grown=4]
//
// --cuts: of each kind, without warning. --grown: after trouble that grew for half a minute. Media goes through a relay that can be closed; for
// the rows that name a link the page's other traffic has 3 Mbit/s and 80 ms. Frames are told apart by the clock in the picture.
import { readFileSync } from 'node:fs';
import { launchChromium } from '../support/chromium.mjs';
import { WatchPage } from '../support/places.mjs';
import { Relay } from '../support/relay.mjs';
import { Stage } from '../support/scenario.mjs';
import { Server } from '../support/server.mjs';
import { betweenPageAndServer } from '../support/signaling.mjs';
import { until } from '../support/until.mjs';
import { machine, numberOption, often as repeat, print, quantile, rounded } from './report.mjs';

const cuts = numberOption('cuts', 10);
const grown = numberOption('grown', 4);
const FLIPS = readFileSync(new URL('../support/flips.js', import.meta.url), 'utf8');
const LINK = { offline: false, latency: 80, downloadThroughput: 3_000_000 / 8, uploadThroughput: 3_000_000 / 8 };
/** Later by this much than before: no packet is lost, but the page has reason to prepare. */
const LAG_MS = 150;
/** From the first sign of trouble until the second engine plays, and until the buffer has grown to its moment, ms. */
const WARM_MS = 9_000;
const GROWN_MS = 38_000;
/** The network comes back after this long, ms. */
const AWAY_MS = 8_000;
const BACK_LIMIT_MS = 60_000;

const server = await Server.start('bench-session');
const browsers = await Promise.all([launchChromium(), launchChromium()]);
const [air, seats] = browsers.map((browser) => new Stage({ server, browser }));
const often = (times, name, body) => repeat(times, name, body, () => seats.clear());
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A viewer behind a relay of its own; `body` gets both. */
async function viewing(slug, body, { closed = false, link = false } = {}) {
  const relay = await Relay.open();
  if (closed) relay.let({ udp: false, tcp: false });
  try {
    const page = await seats.page(null, { scripts: [FLIPS] });
    await betweenPageAndServer(page, relay.redirect);
    const chrome = await page.context().newCDPSession(page);
    const narrow = () => chrome.send('Network.emulateNetworkConditions', LINK);
    await chrome.send('Network.enable');
    if (link) await narrow();
    const began = performance.now();
    await page.goto(`/watch/${slug}`, { waitUntil: 'commit' });
    return await body({ viewer: new WatchPage(page), relay, narrow, began });
  } finally {
    relay.close();
    await seats.clear();
  }
}

const flip = (viewer, from) => until('the flip to be seen', async () => (await viewer.page.evaluate((engine) => globalThis.flipsFrom(engine), from)).at(-1), { within: 15_000 });
const hasWarmPlaylist = (viewer) => viewer.page.evaluate(() => performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/master.m3u8')));

/** Closes the way and says what was seen. */
async function cut({ viewer, relay }) {
  relay.let({ udp: false, tcp: false });
  await viewer.isBy('hls', { within: 30_000 });
  return flip(viewer, 'webrtc');
}

async function comeBack({ viewer, relay }) {
  await pause(AWAY_MS);
  relay.let({ udp: true, tcp: true });
  const opened = performance.now();
  await viewer.isBy('webrtc', { within: BACK_LIMIT_MS });
  return { afterMs: performance.now() - opened, ...(await flip(viewer, 'hls')) };
}

try {
  const { slug } = await air.broadcast('Session', { codec: 'H264', width: 640, height: 360, rate: 30 });
  // Somebody else watches by HLS all the while: the packager is awake.
  const awake = setInterval(() => void fetch(`${server.url}/hls/${slug}/master.m3u8`).catch(() => undefined), 5_000);
  await until('the packager', async () => (await fetch(`${server.url}/hls/${slug}/v0/media.m3u8`)).status !== 503, { within: 30_000 }).catch(() => undefined);

  const returns = [];
  const warm = await often(cuts, 'warm', () => viewing(slug, async (seat) => {
    await seat.viewer.moves();
    await pause(3_000);
    seat.relay.lag(LAG_MS);
    await pause(WARM_MS);
    const seen = await cut(seat);
    seat.relay.lag(0);
    returns.push(await comeBack(seat));
    return seen;
  }));
  const playlist = await often(cuts, 'playlist', () => viewing(slug, async (seat) => {
    await seat.viewer.moves();
    await seat.narrow();
    await until('a warm playlist', () => hasWarmPlaylist(seat.viewer));
    await pause(2_000);
    return cut(seat);
  }));
  const cold = await often(cuts, 'cold', () => viewing(slug, async (seat) => {
    await until('a frame', () => seat.viewer.page.evaluate(() => globalThis.shownFrames?.some(({ counter, engine }) => counter !== null && engine === 'webrtc')));
    await seat.narrow();
    if (await hasWarmPlaylist(seat.viewer)) throw new Error('the playlist was warm already');
    return cut(seat);
  }));
  const down = await often(grown, 'grown', () => viewing(slug, async (seat) => {
    await seat.viewer.moves();
    await pause(3_000);
    seat.relay.lag(LAG_MS);
    await pause(GROWN_MS);
    return cut(seat);
  }));
  const joins = (link) => often(cuts, 'join', () => viewing(slug, async ({ viewer, began }) => {
    await until('a moving picture', () => viewer.page.evaluate(() => globalThis.shownFrames?.filter(({ counter }) => counter !== null).length > 1), { within: 20_000 });
    return performance.now() - began;
  }, { closed: true, link }));
  const closed = await joins(false);
  const closedFar = await joins(true);
  clearInterval(awake);

  const gaps = (found) => found.map(({ gapMs }) => gapMs);
  const rows = (name, values, { p95, gate = false, wanted = cuts } = {}) => {
    const sorted = values.toSorted((a, b) => a - b);
    return [
      { name: `${name}.p50`, value: rounded(quantile(sorted, 0.5)), unit: 'ms' },
      { name: `${name}.p95`, value: rounded(quantile(sorted, 0.95)), unit: 'ms', aim: p95, gate },
      { name: `${name}.samples`, value: values.length, unit: `of ${wanted}` },
    ];
  };
  const all = [...warm, ...playlist, ...cold, ...down, ...returns];
  print([
    ...rows('session.cut.warm', gaps(warm), { p95: 500, gate: true }),
    ...rows('session.cut.playlist', gaps(playlist), { p95: 1_800, gate: true }),
    ...rows('session.cut.cold', gaps(cold), { p95: 2_400, gate: true }),
    ...rows('session.cut.repeated', [...warm, ...playlist, ...cold].map(({ jumpMs }) => Math.max(0, -jumpMs)), { p95: 2_500, wanted: 3 * cuts }),
    ...rows('session.grown.gap', gaps(down), { p95: 100, wanted: grown }),
    ...rows('session.grown.jump', down.map(({ jumpMs }) => Math.abs(jumpMs)), { p95: 100, wanted: grown }),
    ...rows('session.back', returns.map(({ afterMs }) => afterMs), { p95: 10_000 }),
    ...rows('session.back.gap', gaps(returns), { p95: 100 }),
    ...rows('session.back.jump', returns.map(({ jumpMs }) => Math.abs(jumpMs)), { p95: 100 }),
    ...rows('session.closed', closed, { p95: 1_500 }),
    ...rows('session.closed.far', closedFar),
    { name: 'session.black', value: all.filter(({ readable }) => !readable).length, unit: 'flips', aim: 0, gate: true },
  ], `Chromium over loopback, 640x360 at 30, H264; cut.playlist, cut.cold and closed.far over 3 Mbit/s and 80 ms (media by WebRTC is not slowed), network away ${AWAY_MS} ms, ${machine()}`);
} finally {
  await Promise.all([air.clear(), seats.clear()]);
  await Promise.all(browsers.map((browser) => browser.close()));
  await server.remove();
}
