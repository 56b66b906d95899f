// Joining: from the click on a match at Home, and from opening its link in a fresh browser profile, to the first frame on the screen.
//
//   join.mjs [--json] [--joins=25] [--round-trip=40] [--firefox=10]
//
// --round-trip: media goes through the link relay with this round trip, ms (pages and signaling do not). --firefox: then as many joins in
// Firefox, of a second broadcast in VP8.
import { spawn } from 'node:child_process';
import { dirname, join as joinPath } from 'node:path';
import { launchChromium } from '../support/chromium.mjs';
import { firefoxPage, launchFirefox } from '../support/firefox.mjs';
import { Stage } from '../support/scenario.mjs';
import { binary, Server } from '../support/server.mjs';
import { machine, numberOption, print, quantile, rounded } from './report.mjs';

const joins = numberOption('joins', 25);
const roundTripMs = process.argv.some((argument) => argument.startsWith('--round-trip=')) ? numberOption('round-trip', 40) : 0;
const firefoxJoins = process.argv.some((argument) => argument.startsWith('--firefox')) ? numberOption('firefox', 10) : 0;
const RELAY_PORT = 30_000 + Math.floor(Math.random() * 10_000) * 2;
const WORKERS = 2;

/** In the page: notes the click that leads to the match, and resolves `firstFrame` at the display of the player's first frame. */
const WATCH_FIRST_FRAME = `
  globalThis.clickedAt = 0;
  addEventListener('click', () => { globalThis.clickedAt = performance.now(); }, true);
  globalThis.firstFrame = new Promise((resolve) => {
    const looking = new MutationObserver(() => {
      const video = document.querySelector('.player video');
      if (!video) return;
      looking.disconnect();
      video.requestVideoFrameCallback((now, { expectedDisplayTime }) => resolve(Math.max(now, expectedDisplayTime) - globalThis.clickedAt));
    });
    looking.observe(document, { subtree: true, childList: true });
  });
`;

/** The link relay before the server's media ports, announced in their place. */
function startRelay() {
  const to = `127.0.0.1:${server.mediaPort}`;
  const settings = `latency=${roundTripMs / 2}ms`;
  const options = ['--listen', `127.0.0.1:${RELAY_PORT}`, '--to', to, '--ports', String(WORKERS), '--up', settings, '--down', settings];
  return spawn(joinPath(dirname(binary()), 'courtside-linksim'), options, { stdio: 'ignore' });
}

const late = (ms) => new Promise((_, reject) => setTimeout(() => reject(new Error(`no frame within ${ms} ms`)), ms).unref());

/** Joins in Firefox by link, each to its first frame; those that showed none within 15 s are left out. */
async function joinInFirefox() {
  const studio = await stage.broadcast('Join from Firefox', { codec: 'VP8', width: 640, height: 360, rate: 30 });
  const firefox = await launchFirefox();
  const times = [];
  try {
    for (let join = 0; join < firefoxJoins; join++) {
      const page = await firefoxPage(firefox);
      try {
        await page.evaluateOnNewDocument(WATCH_FIRST_FRAME);
        await page.goto(`${server.url}/watch/${studio.slug}`);
        times.push(await Promise.race([page.evaluate('firstFrame'), late(15_000)]));
      } catch {
        continue;
      } finally {
        await page.close();
      }
    }
  } finally {
    await firefox.close();
  }
  return times;
}

/** The sum of a counter over its labels; 0 where the server has none. */
async function counter(name) {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** What viewers made of it: asked of the server, whose counters are at most a second old. */
const counters = async () => {
  const [requests, wishes, replays] = await Promise.all(['keyframe_requests', 'keyframe_wishes', 'replays'].map((name) => counter(`courtside_sfu_${name}_total`)));
  return { requests, wishes, replays, at: performance.now() };
};

const server = await Server.start('bench-join', roundTripMs ? ['--open-publish', '--advertise', `127.0.0.1:${RELAY_PORT}`] : ['--open-publish']);
const relay = roundTripMs ? startRelay() : null;
const browsers = await Promise.all([launchChromium(), launchChromium()]);
const stage = new Stage({ server, browser: browsers[0] });
try {
  const studio = await stage.broadcast('Join', { width: 640, height: 360, rate: 30 });
  const visitors = new Stage({ server, browser: browsers[1] });
  const scripts = [WATCH_FIRST_FRAME];
  const clicks = [];
  const links = [];
  const before = await counters();
  for (let join = 0; join < joins; join++) {
    const page = await visitors.page('/', { scripts });
    // As a person would: the preview moves, then comes the click.
    await page.locator('video.preview.moving').waitFor();
    await page.getByRole('link', { name: 'Watch live' }).click();
    clicks.push(await page.evaluate('firstFrame'));
    await visitors.clear();
    const direct = await visitors.page(`/watch/${studio.slug}`, { scripts });
    links.push(await direct.evaluate('firstFrame'));
    await visitors.clear();
  }
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const after = await counters();
  // The cadence asks at most every two seconds while somebody watches.
  const cadence = Math.ceil((after.at - before.at) / 2000);
  const inFirefox = firefoxJoins ? await joinInFirefox() : [];
  const conditions = `Chromium over loopback, media round trip ${roundTripMs} ms, 640x360 at 30, H264, ${joins} joins each, a fresh profile every time, ${machine()}`;
  const rows = (name, values, aims = {}) => {
    const sorted = values.toSorted((a, b) => a - b);
    return [
      { name: `${name}.p50`, value: rounded(quantile(sorted, 0.5)), unit: 'ms', aim: aims.p50 },
      { name: `${name}.p95`, value: rounded(quantile(sorted, 0.95)), unit: 'ms', aim: aims.p95, gate: aims.p95 !== undefined },
      { name: `${name}.max`, value: rounded(sorted.at(-1)), unit: 'ms' },
    ];
  };
  print([
    ...rows('join.click', clicks, roundTripMs === 40 ? { p95: 350 } : { p50: 500 }),
    ...rows('join.link', links),
    { name: 'join.samples', value: clicks.length, unit: 'joins' },
    ...(firefoxJoins ? [...rows('join.firefox', inFirefox), { name: 'join.firefox.samples', value: inFirefox.length, unit: 'joins' }] : []),
    { name: 'join.keyframe_requests', value: after.requests - before.requests, unit: 'requests' },
    { name: 'join.cadence', value: cadence, unit: 'requests' },
    { name: 'join.wishes', value: after.wishes - before.wishes, unit: 'PLIs' },
    { name: 'join.replays', value: after.replays - before.replays, unit: 'groups' },
  ], conditions);
} finally {
  await stage.clear();
  await Promise.all(browsers.map((browser) => browser.close()));
  await server.remove();
  relay?.kill();
}
