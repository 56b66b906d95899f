// How deep and how fast the match is lowered behind a friend's voice, as it is heard: from the sound that the listener's tab gives to the speakers.
//
// The match is one tone and the friend another, so that each is told apart in what both make together. Twice: by the volume of elements, and through
// Web Audio, as in browsers that leave that volume to their buttons.
import { readFileSync } from 'node:fs';
import { CallPage } from '../support/call.mjs';
import { launchChromium } from '../support/chromium.mjs';
import { Stage } from '../support/scenario.mjs';
import { until } from '../support/until.mjs';
import { median, often, quantile, rounded } from './report.mjs';

const HEARD = readFileSync(new URL('../support/heard_here.js', import.meta.url), 'utf8');
/** The volume of elements cannot be set, as on iOS. */
const BUTTONS_ONLY = "Object.defineProperty(HTMLMediaElement.prototype, 'volume', { configurable: true, get: () => 1, set: () => undefined });";
const [MATCH_HZ, VOICE_HZ] = [1_000, 400];
/** What docs/calls.md promises. */
const [DEPTH_DB, DOWN_MS, UP_MS] = [-12, 80, 600];
/** Slopes are looked at between these shares of the depth: their ends are round. */
const [FROM, TO] = [0.1, 0.9];
/** A voice at least so loud is heard, dB of full scale. */
const VOICE_DB = -40;
const [BEFORE_MS, WORD_MS, AFTER_MS] = [800, 1_200, 1_800];
const small = { context: { viewport: { width: 1000, height: 720 } } };
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** When the level first goes through `db` from `start` on, in the given direction; between two levels it goes straight. */
function crossing(levels, db, start, isDown) {
  for (let index = start; index < levels.length; index++) {
    const [before, now] = [levels[index - 1], levels[index]];
    if (!before || (isDown ? !(before.db[0] > db && now.db[0] <= db) : !(before.db[0] < db && now.db[0] >= db))) continue;
    return { index, atMs: before.atMs + ((now.atMs - before.atMs) * (db - before.db[0])) / (now.db[0] - before.db[0]) };
  }
  throw new Error(`the match did not go through ${db.toFixed(1)} dB`);
}

/** One word of the friend. */
async function word(speaker, listener) {
  await listener.page.evaluate(() => globalThis.heardHere.forget());
  await pause(BEFORE_MS);
  await speaker.speak(true);
  await pause(WORD_MS);
  await speaker.speak(false);
  await pause(AFTER_MS);
  const { found, missingMs } = await listener.page.evaluate((tones) => globalThis.heardHere.levels(tones), [MATCH_HZ, VOICE_HZ]);
  if (missingMs > 0) throw new Error(`${missingMs.toFixed(0)} ms of the tab's sound are missing`);
  const spoke = found.findIndex(({ db }) => db[1] > VOICE_DB);
  if (spoke < 40) throw new Error('the friend was not heard, or before the word');
  const whole = median(found.slice(0, spoke).map(({ db }) => db[0]));
  const lowest = found.findLastIndex(({ db }) => db[1] > VOICE_DB);
  // The second half of the word: by then it is where it goes.
  const low = median(found.slice(Math.round((spoke + lowest) / 2), lowest).map(({ db }) => db[0]));
  const depthDb = low - whole;
  const downFrom = crossing(found, whole + FROM * depthDb, 1, true);
  const downTo = crossing(found, whole + TO * depthDb, downFrom.index, true);
  const upFrom = crossing(found, whole + TO * depthDb, lowest, false);
  const upTo = crossing(found, whole + FROM * depthDb, upFrom.index, false);
  return {
    depthDb,
    downMs: (downTo.atMs - downFrom.atMs) / (TO - FROM),
    upMs: (upTo.atMs - upFrom.atMs) / (TO - FROM),
    afterMs: downFrom.atMs - found[spoke].atMs,
  };
}

/** The rows of one way in which the match is played. */
async function rowsOf(name, server, browsers, times, scripts) {
  const [seats, ears] = browsers.map((browser) => new Stage({ server, browser }));
  try {
    const studio = await seats.broadcast(`Ducking ${name}`, { codec: 'H264', width: 320, height: 180, rate: 15, voice: MATCH_HZ });
    await studio.page.evaluate(() => globalThis.speak(true));
    const camera = (colour) => CallPage.cameraOf(colour, { width: 320, height: 180, rate: 8, voice: VOICE_HZ });
    const speaker = await CallPage.withAccount(seats, `Speaker ${name}`, studio.slug, 'red', { ...small, scripts: camera('red') });
    await speaker.begin();
    const listener = await CallPage.byLink(ears, await speaker.link(), 'blue', { ...small, scripts: [HEARD, ...scripts, ...camera('blue')] });
    await listener.enter();
    await until('each other', async () => (await listener.faces()).filter(({ colour }) => colour !== null).length === 2, { within: 30_000 });
    await listener.page.evaluate(() => globalThis.heardHere.open());
    await pause(3_000);
    const heard = await often(times, `duck ${name}`, () => word(speaker, listener));
    // Without any word there is no figure, and none is not good.
    const off = (values, wanted) => (values.length === 0 ? NaN : rounded(Math.max(...values.map((value) => Math.abs(value - wanted)))));
    const middle = (key) => median(heard.map((one) => one[key]));
    return [
      { name: `calls.duck.${name}.depth`, value: off(heard.map(({ depthDb }) => depthDb), DEPTH_DB), unit: 'dB off', aim: 1 },
      { name: `calls.duck.${name}.down`, value: off(heard.map(({ downMs }) => downMs), DOWN_MS), unit: 'ms off', aim: 30 },
      { name: `calls.duck.${name}.up`, value: off(heard.map(({ upMs }) => upMs), UP_MS), unit: 'ms off', aim: 30 },
      { name: `calls.duck.${name}.depth.p50`, value: rounded(middle('depthDb')), unit: 'dB' },
      { name: `calls.duck.${name}.down.p50`, value: rounded(middle('downMs')), unit: 'ms' },
      { name: `calls.duck.${name}.up.p50`, value: rounded(middle('upMs')), unit: 'ms' },
      { name: `calls.duck.${name}.after.p95`, value: rounded(quantile(heard.map(({ afterMs }) => afterMs).toSorted((a, b) => a - b), 0.95)), unit: 'ms' },
      { name: `calls.duck.${name}.samples`, value: heard.length, unit: `of ${times}` },
    ];
  } finally {
    await Promise.all([seats.clear(), ears.clear()]);
  }
}

/** Rows by both ways, `times` words each. `browser` is for everybody but the listener. */
export async function ducking(server, browser, times) {
  const listening = await launchChromium({ capturesTab: true });
  try {
    return [
      ...(await rowsOf('element', server, [browser, listening], times, [])),
      ...(await rowsOf('graph', server, [browser, listening], times, [BUTTONS_ONLY])),
    ];
  } finally {
    await listening.close();
  }
}
