// A guest on air, for those who watch by HLS: hls.js plays on while a guest comes and goes, both pictures are seen and both voices heard. Of a server
// that makes no ladders: guests are composed all the same.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { CallPage } from './support/call.mjs';
import { launchChromium } from './support/chromium.mjs';
import { heard, playHls } from './support/hls_player.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

const MAIN_HZ = 440;
const GUEST_HZ = 1_000;
/** The picture may stand still so long, and no longer. */
const STILL_MAX_MS = 1_000;
/** A voice and the picture of the moment it was said in: the ways of both through page, encoder and player are in it. */
const OUT_OF_STEP_MAX_MS = 400;

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([Server.start('hls-guest', ['--open-publish', '--hls-ladder=false']), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

/** Looks and listens from now on. */
const watch = (page, tones) => page.evaluate(async (wanted) => {
  const LOOK_EVERY_MS = 40;
  const [ACROSS, DOWN] = [32, 18];
  const video = document.querySelector('video');
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  [analyser.fftSize, analyser.smoothingTimeConstant] = [2_048, 0];
  context.createMediaElementSource(video).connect(analyser).connect(context.destination);
  await context.resume();
  video.muted = false;
  const levels = new Float32Array(analyser.frequencyBinCount);
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [ACROSS, DOWN];
  const picture = canvas.getContext('2d', { willReadFrequently: true });
  const colours = () => {
    picture.drawImage(video, 0, 0, ACROSS, DOWN);
    const { data } = picture.getImageData(0, 0, ACROSS, DOWN);
    const found = { red: 0, blue: 0 };
    for (let at = 0; at < data.length; at += 4) {
      const [red, green, blue] = data.subarray(at, at + 3);
      if (red > 80 && red > 1.8 * green && red > 1.8 * blue) found.red += 4 / data.length;
      if (blue > 80 && blue > 1.8 * green && blue > 1.8 * red) found.blue += 4 / data.length;
    }
    return found;
  };
  const level = (hz) => {
    const bin = Math.round((hz * analyser.fftSize) / context.sampleRate);
    return Math.max(...levels.subarray(bin - 1, bin + 2));
  };
  const seen = { now: null, looks: [], longestStillMs: 0, movedAt: performance.now(), position: 0 };
  globalThis.seen = seen;
  setInterval(() => {
    const now = performance.now();
    analyser.getFloatFrequencyData(levels);
    const { currentTime } = video;
    if (currentTime !== seen.position) [seen.position, seen.movedAt] = [currentTime, now];
    seen.longestStillMs = Math.max(seen.longestStillMs, now - seen.movedAt);
    seen.now = { at: performance.timeOrigin + now, ...colours(), counter: globalThis.barcode.read(video), tones: wanted.map(level) };
    seen.looks.push(seen.now);
    if (seen.looks.length > 200) seen.looks.shift();
  }, LOOK_EVERY_MS);
}, tones);

const IS_HEARD_DB = -45;
const now = (page) => page.evaluate(() => globalThis.seen.now);

/** Waits until it is seen and heard as wanted: shares of the colours, and which of both tones. */
const becomes = (page, what, { blue, tones }, within = 20_000) => until(what, async () => {
  const look = await now(page);
  const isSeen = look.red > 0.2 && (blue ? look.blue > 0.03 : look.blue < 0.02);
  if (isSeen && tones.every((wanted, index) => (look.tones[index] > IS_HEARD_DB) === wanted)) return look;
  throw new Error(JSON.stringify(look));
}, { within });

/** By how much the picture on screen is ahead of a voice (ms) whenever that begins: `speak` switches it on and off. */
async function ahead(page, index, speak) {
  const found = [];
  for (let time = 0; time < 3; time++) {
    await speak(false);
    await until('silence', async () => (await now(page)).tones[index] < IS_HEARD_DB);
    const said = await speak(true);
    const look = await until('the voice', () => page.evaluate(([which, least, from]) => {
      const begun = globalThis.seen.looks.findIndex(({ at, tones }) => at > from && tones[which] > least);
      // The picture of then, or the next one that can be read.
      return begun < 0 ? null : globalThis.seen.looks.slice(begun).find(({ counter }) => counter !== null);
    }, [index, IS_HEARD_DB, said]));
    found.push(await page.evaluate(([counter, clock]) => -globalThis.barcode.age(counter, clock), [look.counter, Math.round(said) % 2 ** 24]));
  }
  return found.toSorted((a, b) => a - b)[1];
}

scenario('a guest comes on air and goes: both are seen and heard by HLS, and playback goes on', async (stage) => {
  const studio = await stage.broadcast('A guest by HLS', { codec: 'H264', width: 640, height: 360, rate: 30, tint: '#b03030', voice: MAIN_HZ });
  const [page, guest] = await Promise.all([
    // The sound that our own page takes.
    playHls(stage, `${server.url}/hls/${studio.slug}/master.m3u8`, { audioPreference: { audioCodec: 'opus' } }),
    CallPage.withAccount(stage, 'Guest', studio.slug, 'blue', { scripts: CallPage.cameraOf('blue', { voice: GUEST_HZ }) }),
  ]);
  await until('the picture to play', async () => (await heard(page)).began, { within: 20_000 });
  const speakMain = (on) => studio.page.evaluate((wanted) => globalThis.speak(wanted), on);
  const speakGuest = (on) => guest.speak(on);
  await Promise.all([watch(page, [MAIN_HZ, GUEST_HZ]), speakMain(true)]);
  await becomes(page, 'the main picture and sound alone', { blue: false, tones: [true, false] });
  const ofMainAlone = await ahead(page, 0, speakMain);
  const before = await heard(page);

  await guest.wake();
  await guest.button('Quality and settings').click();
  await guest.page.getByRole('menuitemcheckbox', { name: 'Raise your hand' }).click();
  const desk = studio.page.getByRole('region', { name: 'Guests' });
  await desk.getByRole('button', { name: 'Invite Guest on air' }).click();
  await guest.page.getByRole('dialog', { name: 'Come on air?' }).getByRole('button', { name: 'Go on air' }).click();
  // Where the main picture keeps its place, its clock can be read.
  await desk.getByRole('radio', { name: 'In a corner' }).click();
  const onAirAt = Date.now();
  await speakGuest(true);
  await until('the guest to be heard', async () => (await now(page)).tones[1] > IS_HEARD_DB, { within: 20_000 });
  const heardMs = Date.now() - onAirAt;
  await becomes(page, 'both pictures and both voices', { blue: true, tones: [true, true] });
  const seenMs = Date.now() - onAirAt;
  const ofGuest = await ahead(page, 1, speakGuest);
  const ofMain = await ahead(page, 0, speakMain);
  assert.ok(Math.abs(ofGuest) < OUT_OF_STEP_MAX_MS, `the picture is ${ofGuest} ms ahead of the guest's voice`);

  await desk.getByRole('button', { name: 'Take Guest off air' }).click();
  const offAirAt = Date.now();
  await becomes(page, 'the main picture and sound alone again', { blue: false, tones: [true, false] });
  const goneMs = Date.now() - offAirAt;
  const { fatal, errors, stalls } = await heard(page);
  const { longestStillMs } = await page.evaluate(() => globalThis.seen);
  const sound = await page.evaluate(() => globalThis.player.levels[globalThis.player.currentLevel]?.audioCodec);
  console.log(`A guest by HLS (${sound}): heard after ${heardMs} ms, seen after ${seenMs} ms, gone after ${goneMs} ms; the picture is ahead of the guest's voice by ${ofGuest} ms, of the main voice by ${ofMain} ms (${ofMainAlone} ms before); ${stalls - before.stalls} stalls, stood still ${Math.round(longestStillMs)} ms at most; ${errors.length} errors that were none`);
  assert.deepEqual(fatal, []);
  assert.ok(longestStillMs < STILL_MAX_MS, `it stood still for ${longestStillMs} ms`);
}, { timeout: 120_000 });
