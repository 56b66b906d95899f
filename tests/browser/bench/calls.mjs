// Calls with real pages: how soon friends see and hear each other, how late a voice is, how far apart their pictures of the match are, how deep and how
// fast the match is lowered behind a voice, how soon a guest is on everybody's screen, and what ten faces leave of the match on a narrow way.
//
//   calls.mjs [--json] [--joins=10] [--voices=10] [--skew=20] [--ducks=5] [--airs=5] [--only=enter,together,air,duck,twenty,faces]
//
// --joins, --voices, --ducks, --airs: how often. --skew: seconds of each kind. --only: these parts. One that fails does not keep the next from running.
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { CallPage } from '../support/call.mjs';
import { launchChromium } from '../support/chromium.mjs';
import { Relay } from '../support/relay.mjs';
import { Stage } from '../support/scenario.mjs';
import { Server } from '../support/server.mjs';
import { betweenPageAndServer } from '../support/signaling.mjs';
import { until } from '../support/until.mjs';
import { ducking } from './call_ducking.mjs';
import { tenFaces } from './call_faces.mjs';
import { twentyApart } from './call_twenty.mjs';
import { machine, numberOption, often, print, quantile, rounded } from './report.mjs';

const [joins, voiceTurns, skewS, ducks, airs] = [['joins', 10], ['voices', 10], ['skew', 20], ['ducks', 5], ['airs', 5]].map(([name, usual]) => numberOption(name, usual));
const WATCH = readFileSync(new URL('../support/call_watch.js', import.meta.url), 'utf8');
/** Small enough that two cores draw, encode and decode four of them. */
const small = { context: { viewport: { width: 1000, height: 720 } } };
const camera = (colour) => [...CallPage.cameraOf(colour, { width: 320, height: 180, rate: 8 }), WATCH];
/** The picture of one of four comes so much later than those of the others, ms. */
const LAG_MS = 120;
/** Until pictures that are moved by 50 ms a second are where they should be, ms. */
const SETTLE_MS = 12_000;
/** As much of a page as its picture needs: four of them are drawn by the same two cores. */
const NARROW = { width: 500, height: 600 };
/** Skew is looked at so often, ms. */
const LOOK_MS = 50;

const server = await Server.start('bench-calls', ['--open-publish', '--dvr']);
const browsers = await Promise.all([launchChromium(), launchChromium()]);
const [air, seats] = browsers.map((browser) => new Stage({ server, browser }));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const sorted = (values) => values.toSorted((a, b) => a - b);
let hosts = 0;

/** The one who has begun a call: the same person each time, since an address makes few accounts in a row. */
async function host(slug) {
  const options = { ...small, scripts: camera('red') };
  const one = await (hosts++ === 0 ? CallPage.withAccount : CallPage.signedIn)(seats, 'Host', slug, 'red', options);
  await one.begin();
  return one;
}

const guest = (link, colour) => CallPage.byLink(seats, link, colour, { ...small, scripts: camera(colour) });

/** From the click that enters until both see and hear each other. */
async function entering(slug) {
  const one = await host(slug);
  const other = await guest(await one.link(), 'blue');
  await other.page.getByRole('dialog', { name: 'Join your friends' }).waitFor();
  await other.page.getByRole('button', { name: 'Turn camera off' }).first().waitFor();
  const seen = [one, other].flatMap(({ page }) => [page.evaluate(() => globalThis.callWatch.firstFace()), page.evaluate(() => globalThis.callWatch.firstVoice())]);
  const clicked = await other.page.evaluate(() => {
    const dialog = document.querySelector('dialog, [role=dialog]');
    const button = [...dialog.querySelectorAll('button')].find(({ textContent }) => textContent.trim() === 'Join');
    const now = performance.timeOrigin + performance.now();
    button.click();
    return now;
  });
  const last = Math.max(...(await Promise.all(seen)));
  await seats.clear();
  return last - clicked;
}

const everyFace = (members) => Promise.all(members.map((member) => until('every face', async () => (await member.faces()).filter(({ colour }) => colour !== null).length === members.length, { within: 30_000 })));

/** From the first tone in one's microphone until another hears it. */
async function voice(speaker, listener, member) {
  const heard = listener.page.evaluate((who) => globalThis.callWatch.heard(who), member);
  await pause(400);
  const spoke = await speaker.speak(true);
  const at = await heard;
  await speaker.speak(false);
  await pause(900);
  return at - spoke;
}

const turnOff = async (member) => {
  await member.wake();
  await member.button('Turn camera off').first().click();
};

/** How far apart the pictures of these pages are, over some seconds, ms. */
async function skew(pages, seconds) {
  await Promise.all(pages.map(({ page }) => page.evaluate(() => { globalThis.callWatch.shown.length = 0; })));
  await pause(seconds * 1_000);
  const shown = await Promise.all(pages.map(({ page }) => page.evaluate(() => globalThis.callWatch.shown)));
  const begins = Math.max(...shown.map((frames) => frames[0]?.at ?? Infinity));
  const ends = Math.min(...shown.map((frames) => frames.at(-1)?.at ?? -Infinity));
  const found = [];
  for (let at = begins; at <= ends; at += LOOK_MS) {
    // The newest picture that is on screen then; what its counter says grows as the clock does.
    const moments = shown.map((frames) => {
      const frame = frames.findLast((candidate) => candidate.at <= at);
      return frame.counter;
    });
    found.push(Math.max(...moments) - Math.min(...moments));
  }
  return found;
}

/** From the click of a guest until each of these pages shows them; and the longest that a picture of the match stood meanwhile. */
async function onAir(studio, one, viewers) {
  await one.wake();
  await one.button('Quality and settings').click();
  await one.page.getByRole('menuitemcheckbox', { name: 'Raise your hand' }).click();
  const desk = studio.page.getByRole('region', { name: 'Guests' });
  await desk.getByRole('button', { name: /^Invite/ }).click();
  const accept = one.page.getByRole('dialog', { name: 'Come on air?' }).getByRole('button', { name: 'Go on air' });
  await accept.waitFor();
  await pause(1_500);
  const seen = viewers.map(({ page }) => page.evaluate(() => new Promise((resolve, reject) => {
    const timer = setInterval(() => {
      const video = document.querySelector('figure[aria-label$="on air"] video, figure video');
      if (!video || video.dataset.followed) return;
      video.dataset.followed = 'yes';
      video.requestVideoFrameCallback((now) => {
        clearInterval(timer);
        resolve(performance.timeOrigin + now);
      });
    }, 5);
    setTimeout(() => reject(new Error('the guest was not seen')), 15_000);
  })));
  const clicked = await accept.evaluate((button) => {
    const now = performance.timeOrigin + performance.now();
    button.click();
    return now;
  });
  const at = await Promise.all(seen);
  await pause(1_000);
  const still = await Promise.all(viewers.map(({ page }) => page.evaluate((from) => globalThis.callWatch.longestStill(from), clicked - 100)));
  await desk.getByRole('button', { name: /off air$/ }).click();
  await Promise.all(viewers.map(({ page }) => page.locator('figure video').first().waitFor({ state: 'detached' })));
  await pause(500);
  return { afterMs: Math.max(...at) - clicked, stillMs: Math.max(...still) };
}

const rows = [];
const row = (name, values, { p50, p95, gate = false, wanted } = {}) => {
  const all = sorted(values);
  rows.push(
    { name: `${name}.p50`, value: rounded(quantile(all, 0.5)), unit: 'ms', aim: p50 ?? null },
    { name: `${name}.p95`, value: rounded(quantile(all, 0.95)), unit: 'ms', aim: p95 ?? null, gate },
    { name: `${name}.samples`, value: values.length, unit: wanted ? `of ${wanted}` : '' },
  );
  // It takes minutes: whoever waits sees how it goes.
  console.error(`${name}: ${rounded(quantile(all, 0.5))} ms, p95 ${rounded(quantile(all, 0.95))} ms, load ${loadavg()[0].toFixed(1)}`);
};

/** Four pages that watch together: voices, and how far apart their pictures are. */
async function together({ slug }) {
  const one = await host(slug);
  const link = await one.link();
  const pair = [one, await guest(link, 'blue')];
  await pair[1].enter();
  await everyFace(pair);
  const hostSeen = (await pair[1].faces()).find(({ label }) => label.startsWith('Host')).member;
  const voices = (name) => often(voiceTurns, name, () => voice(one, pair[1], hostSeen));
  row('calls.voice', await voices('voice'), { p50: 150, wanted: voiceTurns });
  const relay = await Relay.open();
  try {
    relay.lag(LAG_MS);
    const late = await seats.page(null, { ...small, scripts: camera('green') });
    await betweenPageAndServer(late, relay.redirect);
    const more = [await guest(link, 'green'), new CallPage(late)];
    await late.goto(link);
    for (const other of more) await other.enter();
    const members = [...pair, ...more];
    await everyFace(members);
    row('calls.voice.four', await voices('voice among four'), { wanted: voiceTurns });
    await Promise.all(members.map(({ page }) => page.setViewportSize(NARROW)));
    await pause(SETTLE_MS);
    row('calls.skew', await skew(members, skewS), { p95: 60, gate: true });
    // Without the work of four cameras what is left is what the pages do.
    for (const member of members) await turnOff(member);
    await pause(SETTLE_MS);
    row('calls.skew.voices', await skew(members, skewS), { p95: 60 });
    relay.lag(2 * LAG_MS);
    await pause(SETTLE_MS);
    row('calls.skew.grown', await skew(members, skewS), { p95: 60 });
    relay.lag(LAG_MS);
    await more[0].page.setViewportSize(small.context.viewport);
    await more[0].watch.chooseTransport('Buffered');
    await more[0].watch.isBy('hls', { within: 20_000 });
    await pause(4 * SETTLE_MS);
    row('calls.skew.mixed', await skew(members, skewS), { p95: 120, gate: true });
  } finally {
    relay.close();
  }
}

async function aired(studio) {
  const comer = await CallPage.withAccount(seats, 'Guest', studio.slug, 'blue', { ...small, scripts: camera('blue') });
  const viewers = await Promise.all([1, 2, 3].map(() => seats.watch(studio.slug, { ...small, scripts: [WATCH] })));
  await Promise.all(viewers.map((viewer) => viewer.moves()));
  const found = await often(airs, 'air', () => onAir(studio, comer, viewers));
  row('calls.air', found.map(({ afterMs }) => afterMs), { p95: 1_000, wanted: airs });
  rows.push({ name: 'calls.air.still', value: rounded(Math.max(...found.map(({ stillMs }) => stillMs))), unit: 'ms', aim: 200 });
}

const PARTS = {
  async enter({ slug }) {
    row('calls.enter', await often(joins, 'enter', () => entering(slug), () => seats.clear()), { p95: 1_200, gate: true, wanted: joins });
  },
  together,
  air: aired,
  async duck() {
    rows.push(...(await ducking(server, browsers[1], ducks)));
  },
  async twenty({ slug }) {
    rows.push(...(await twentyApart(server, slug)));
  },
  async faces() {
    // A match of its own.
    await air.clear();
    rows.push(...(await tenFaces(server, browsers[0])));
  },
};
const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice('--only='.length).split(',') ?? Object.keys(PARTS);
for (const part of only) if (!PARTS[part]) throw new Error(`there is no part ${part}: ${Object.keys(PARTS).join(', ')}`);

try {
  const studio = await air.broadcast('Calls', { codec: 'H264', width: 320, height: 180, rate: 60 });
  for (const part of Object.keys(PARTS).filter((name) => only.includes(name))) {
    try {
      await PARTS[part](studio);
    } catch (thrown) {
      console.error(`${part}: ${thrown.stack}`);
      process.exitCode = 1;
    }
    await seats.clear();
  }
  print(rows, `Chromium over loopback, match 320x180 at 60, H264; one of four pages ${LAG_MS} ms later, in grown by twice that, one by HLS in mixed; cameras off from voices on; ${machine()}`);
} finally {
  await Promise.all([air.clear(), seats.clear()]);
  await Promise.all(browsers.map((browser) => browser.close()));
  await server.remove();
}
