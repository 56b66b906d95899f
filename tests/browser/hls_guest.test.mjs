// A guest on air, for those who watch by HLS: hls.js plays on while a guest comes and goes, both pictures are seen and both voices heard, each beside
// the picture of the moment it was said in. Of a server that makes no ladders: guests are composed all the same.
//
// Whether sound is in step is asked of media times, which do not depend on how busy the machine is: what is published is decoded, and what the
// player plays is compared with that.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { CallPage } from './support/call.mjs';
import { launchChromium } from './support/chromium.mjs';
import { heard, playHls } from './support/hls_player.mjs';
import { scenarios } from './support/scenario.mjs';
import { keep } from './support/segments.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

const VOICES_HZ = [440, 1_000];
const [MAIN, GUEST] = [0, 1];
/** A voice and the picture of the moment it was said in: what a busy sender's microphone is behind its camera is in it, which sender reports tell late. */
const OUT_OF_STEP_MAX_MS = 250;
/** What the player plays and where it lies on the line: of sound that a level is made of, and a few buffers. */
const PLAYED_OFF_MAX_MS = 100;
/** An utterance is looked for so near to its picture. */
const NEAR_MS = 900;
/** Of a tone at its loudest. */
const [BEGINS, IS_SILENT] = [0.3, 0.05];
/** Segments are whole after so much more. */
const SEGMENT_MAX_S = 3;

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

/** Looks and listens from now on. Of each beginning of a tone: the positions of the last look before it and of the first one with it. */
const watch = (page) => page.evaluate(async (wanted) => {
  const LOOK_EVERY_MS = 20;
  const [HEARD_DB, SILENT_DB] = [-40, -60];
  const [ACROSS, DOWN] = [32, 18];
  const video = document.querySelector('video');
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  [analyser.fftSize, analyser.smoothingTimeConstant] = [1_024, 0];
  context.createMediaElementSource(video).connect(analyser).connect(context.destination);
  await context.resume();
  video.muted = false;
  const levels = new Float32Array(analyser.frequencyBinCount);
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [ACROSS, DOWN];
  const picture = canvas.getContext('2d', { willReadFrequently: true });
  const level = (hz) => {
    const bin = Math.round((hz * analyser.fftSize) / context.sampleRate);
    return Math.max(...levels.subarray(bin - 1, bin + 2));
  };
  const seen = { voices: wanted.map(() => false), begun: wanted.map(() => []), position: video.currentTime };
  /** The shares of both colours. */
  seen.colours = () => {
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
  globalThis.seen = seen;
  setInterval(() => {
    const { currentTime } = video;
    analyser.getFloatFrequencyData(levels);
    wanted.forEach((hz, index) => {
      const now = level(hz);
      if (seen.voices[index]) seen.voices[index] = now > SILENT_DB;
      else if (now > HEARD_DB) {
        seen.voices[index] = true;
        seen.begun[index].push([seen.position, currentTime]);
      }
    });
    seen.position = currentTime;
  }, LOOK_EVERY_MS);
}, VOICES_HZ);

/** Waits until it is seen and heard as wanted: whether there is blue in the picture, and which of both voices. */
const becomes = (page, what, { blue, voices }) => until(what, async () => {
  const look = await page.evaluate(() => ({ ...globalThis.seen.colours(), voices: globalThis.seen.voices }));
  const isSeen = look.red > 0.2 && (blue ? look.blue > 0.03 : look.blue < 0.02);
  if (isSeen && String(look.voices) === String(voices)) return true;
  throw new Error(JSON.stringify(look));
}, { within: 30_000 });

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** The place of a moment of the wall clock on the line: where the pictures around it are. */
const placeOf = (pictures, at) => {
  const { age } = globalThis.barcode;
  const code = Math.round(at) % 2 ** 24;
  const next = pictures.findIndex(({ counter }) => age(counter, code) <= 0);
  if (next < 1) return null;
  const [one, other] = [pictures[next - 1], pictures[next]];
  return one.at + ((other.at - one.at) * age(one.counter, code)) / age(one.counter, other.counter);
};

/** Where a tone begins, ms on the line. */
const beginningsOf = (levels, index) => {
  const loudest = Math.max(...levels.map((look) => look.levels[index]));
  const found = [];
  let isHeard = true;
  for (const { at, levels: now } of levels) {
    if (!isHeard && now[index] > loudest * BEGINS) found.push(at);
    if (!isHeard) isHeard = now[index] > loudest * BEGINS;
    else isHeard = now[index] > loudest * IS_SILENT;
  }
  return found;
};

scenario('a guest comes on air and goes: both are seen and heard by HLS, each voice beside its picture, and playback goes on', async (stage) => {
  const studio = await stage.broadcast('A guest by HLS', { codec: 'H264', width: 640, height: 360, rate: 30, tint: '#b03030', voice: VOICES_HZ[MAIN] });
  const base = `${server.url}/hls/${studio.slug}`;
  await until('every rendition', async () => {
    const text = await (await fetch(`${base}/master.m3u8`)).text();
    return ['v0/', 'aac/', 'opus/'].every((name) => text.includes(name));
  }, { within: 20_000 });
  const kept = keep(base, ['v0', 'aac', 'opus']);
  const [page, guest] = await Promise.all([
    // The sound that our own page takes.
    playHls(stage, `${base}/master.m3u8`, { audioPreference: { audioCodec: 'opus' } }),
    CallPage.withAccount(stage, 'Guest', studio.slug, 'blue', { scripts: CallPage.cameraOf('blue', { voice: VOICES_HZ[GUEST] }) }),
  ]);
  await until('the picture to play', async () => (await heard(page)).began, { within: 20_000 });
  await watch(page);
  const said = [];
  const speakers = [(on) => studio.page.evaluate((wanted) => globalThis.speak(wanted), on), (on) => guest.speak(on)];
  /** So many utterances, each waited for until it has been heard and is over. */
  const utter = async (phase, who, times) => {
    for (let time = 0; time < times; time++) {
      for (const index of who) said.push({ phase, index, at: await speakers[index](true) });
      await until(`voices ${phase}`, () => page.evaluate((wanted) => wanted.every((index) => globalThis.seen.voices[index]), who), { within: 20_000 });
      for (const index of who) await speakers[index](false);
      await until(`silence ${phase}`, () => page.evaluate(() => !globalThis.seen.voices.some(Boolean)), { within: 20_000 });
    }
  };
  await becomes(page, 'the main picture alone', { blue: false, voices: [false, false] });
  await utter('before', [MAIN], 2);

  await guest.wake();
  await guest.button('Quality and settings').click();
  await guest.page.getByRole('menuitemcheckbox', { name: 'Raise your hand' }).click();
  const desk = studio.page.getByRole('region', { name: 'Guests' });
  await desk.getByRole('button', { name: 'Invite Guest on air' }).click();
  await guest.page.getByRole('dialog', { name: 'Come on air?' }).getByRole('button', { name: 'Go on air' }).click();
  // Where the main picture keeps its place, its clock can be read.
  await desk.getByRole('radio', { name: 'In a corner' }).click();
  await guest.speak(true);
  await becomes(page, 'both pictures, and the voice of the guest', { blue: true, voices: [false, true] });
  await guest.speak(false);
  await becomes(page, 'silence', { blue: true, voices: [false, false] });
  await utter('while', [MAIN, GUEST], 3);

  await desk.getByRole('button', { name: 'Take Guest off air' }).click();
  await becomes(page, 'the main picture alone again', { blue: false, voices: [false, false] });
  await utter('after', [MAIN], 2);

  const position = () => page.evaluate(() => document.querySelector('video').currentTime);
  const end = await position();
  await until('what was said to be whole', async () => (await position()) > end + SEGMENT_MAX_S, { within: 20_000 });
  await kept.stop();
  const { begun } = await page.evaluate(() => globalThis.seen);
  const played = await page.evaluate(() => {
    const { audio } = globalThis.player.bufferController.tracks;
    return { codec: audio.codec, shiftMs: audio.buffer.timestampOffset * 1_000, ranges: audio.buffer.buffered.length };
  });
  const { fatal, stalls } = await heard(page);
  assert.deepEqual(fatal, []);
  assert.equal(played.codec, 'opus');
  assert.equal(played.ranges, 1, 'the sound that was played has a hole');

  const [picture, ...sounds] = kept.renditions;
  const pictures = (await picture.pictures()).filter(({ counter }) => counter !== null);
  for (const [name, sound] of [['aac', sounds[0]], ['opus', sounds[1]]]) {
    const { levels, holes } = await sound.tones(VOICES_HZ);
    assert.deepEqual(holes, [], `${name} has holes or overlaps`);
    const told = [];
    for (const [index, voice] of ['main', 'guest'].entries()) {
      const beginnings = beginningsOf(levels, index);
      for (const phase of ['before', 'while', 'after']) {
        const places = said.filter((one) => one.phase === phase && one.index === index).map(({ at }) => placeOf(pictures, at));
        if (places.length === 0) continue;
        const late = places.map((place) => {
          const nearest = beginnings.reduce((best, at) => (Math.abs(at - place) < Math.abs(best - place) ? at : best), Infinity);
          assert.ok(Math.abs(nearest - place) < NEAR_MS, `${name}: the ${voice} voice ${phase} is ${nearest - place} ms behind its picture`);
          return Math.round(nearest - place);
        });
        assert.ok(Math.abs(median(late)) < OUT_OF_STEP_MAX_MS, `${name}: the ${voice} voice ${phase} is ${late} ms behind its picture`);
        told.push(`${voice} ${phase} ${late.join(' ')}`);
      }
      if (name !== 'opus') continue;
      // The player plays it where it lies: between the last look without and the first look with it.
      const off = begun[index].map(([from, to]) => {
        const [first, last] = [from * 1_000 - played.shiftMs, to * 1_000 - played.shiftMs];
        const middle = (first + last) / 2;
        const nearest = beginnings.reduce((best, at) => (Math.abs(at - middle) < Math.abs(best - middle) ? at : best), Infinity);
        return Math.round(Math.max(first - nearest, 0) + Math.min(last - nearest, 0));
      });
      assert.ok(off.every((ms) => Math.abs(ms) < PLAYED_OFF_MAX_MS), `the player plays the ${voice} voice ${off} ms behind its place`);
      told.push(`player ${voice} ${off.join(' ')}`);
    }
    console.log(`A guest by HLS, voices behind their pictures by so many ms (${name}): ${told.join('; ')}`);
  }
  console.log(`A guest by HLS: ${pictures.length} pictures, ${stalls} stalls`);
}, { timeout: 150_000 });
