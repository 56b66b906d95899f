// The fallback in a real player: Chromium publishes three layers of H.264 from the Studio, hls.js plays what the packager makes of them.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before } from 'node:test';
import { promisify } from 'node:util';
import { launchChromium } from './support/chromium.mjs';
import { heard, playHls } from './support/hls_player.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

/** Drawing to display, of which the camera, the encoder and the way to the server take some; the rest is three parts and the player. */
const AGE_MAX_MS = 2_800;
/** What decoding and encoding again may add, on a machine that does everything else at the same time. */
const ENCODING_MAX_MS = 1_000;

const run = promisify(execFile);

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([Server.start('hls'), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

/** The ages of the pictures on screen for a while, ms. */
const ages = (page, forMs) => page.evaluate((wanted) => {
  const { read, age } = globalThis.barcode;
  const video = document.querySelector('video');
  return new Promise((resolve) => {
    const found = [];
    const started = performance.now();
    const frame = () => {
      const counter = read(video);
      if (counter !== null) found.push(age(counter));
      if (performance.now() - started < wanted) video.requestVideoFrameCallback(frame);
      else resolve(found);
    };
    video.requestVideoFrameCallback(frame);
  });
}, forMs);

scenario('hls.js plays the layers of a browser, a moment behind, and follows a choice of quality without a stall', async (stage) => {
  const studio = await stage.broadcast('Fallback', { codec: 'H264', width: 1280, height: 720, rate: 30 });
  const page = await playHls(stage, `${server.url}/hls/${studio.slug}/master.m3u8`);
  await until('the picture to play', async () => (await heard(page)).began, { within: 20_000 });
  // Players find their place within some seconds.
  await ages(page, 5_000);
  const before = await heard(page);
  const seen = await ages(page, 6_000);
  const sorted = seen.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  assert.ok(sorted.length > 60, `only ${sorted.length} pictures could be read`);
  assert.ok(median < AGE_MAX_MS, `the picture is ${median} ms old`);
  const levels = await page.evaluate(() => globalThis.player.levels.map(({ height, audioCodec }) => `${height} ${audioCodec}`));
  assert.ok(levels.length >= 2, levels.join(', '));
  const { fatal, stalls } = await heard(page);
  assert.deepEqual(fatal, []);
  assert.equal(stalls, before.stalls, 'it stalled');
  const heights = await page.evaluate(async () => {
    const video = document.querySelector('video');
    const found = [];
    for (const level of [0, globalThis.player.levels.length - 1]) {
      globalThis.player.nextLevel = level;
      const wanted = globalThis.player.levels[level].height;
      const deadline = performance.now() + 10_000;
      while (video.videoHeight !== wanted && performance.now() < deadline) await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
      found.push([wanted, video.videoHeight]);
    }
    return found;
  });
  for (const [wanted, shown] of heights) assert.equal(shown, wanted);
  assert.deepEqual((await heard(page)).fatal, []);
  console.log(`HLS in Chromium: median age ${median} ms of ${sorted.length} pictures, ${levels.length} levels, ${(await heard(page)).stalls} stalls in all`);
});

scenario('a player that knows nothing of parts plays whole segments', async (stage) => {
  const studio = await stage.broadcast('Plain', { codec: 'H264', width: 640, height: 360, rate: 30 });
  const page = await playHls(stage, `${server.url}/hls/${studio.slug}/plain.m3u8`, { lowLatencyMode: false });
  await until('the picture to play', async () => (await heard(page)).began, { within: 30_000 });
  const seen = await ages(page, 3_000);
  assert.ok(seen.length > 20 && seen.every((age) => age < 12_000), `${seen.length} pictures, the last ${seen.at(-1)} ms old`);
  assert.deepEqual((await heard(page)).fatal, []);
});

scenario('VP8, which no player takes, is watched in several sizes that an encoder makes, a moment later', async (stage) => {
  const studio = await stage.broadcast('VP8', { codec: 'VP8', width: 640, height: 360, rate: 30 });
  const page = await playHls(stage, `${server.url}/hls/${studio.slug}/master.m3u8`);
  await until('the picture to play', async () => (await heard(page)).began, { within: 30_000 });
  await ages(page, 3_000);
  const seen = await ages(page, 3_000);
  const median = seen.toSorted((a, b) => a - b)[Math.floor(seen.length / 2)];
  assert.ok(seen.length > 20, `only ${seen.length} pictures could be read`);
  assert.ok(median < AGE_MAX_MS + ENCODING_MAX_MS, `the picture is ${median} ms old`);
  const levels = await page.evaluate(() => globalThis.player.levels.map(({ height, videoCodec }) => [height, videoCodec.slice(0, 4)]));
  // Each once with AAC and once with Opus.
  assert.deepEqual(new Set(levels.map(String)), new Set(['180,avc1', '360,avc1']));
  assert.deepEqual((await heard(page)).fatal, []);
  console.log(`VP8 by HLS: median age ${median} ms of ${seen.length} pictures`);
});

scenario('ffmpeg decodes every rendition without an error', async (stage) => {
  const studio = await stage.broadcast('Decoded', { codec: 'H264', width: 640, height: 360, rate: 30 });
  const base = `${server.url}/hls/${studio.slug}`;
  const master = await until('every rendition', async () => {
    const text = await (await fetch(`${base}/master.m3u8`)).text();
    return text.includes('v1/') && text.includes('aac/') && text.includes('opus/') ? text : void 0;
  }, { within: 20_000 });
  const lists = [...new Set([...master.matchAll(/(?:URI="|^)([^"#\n]+\.m3u8)/gm)].map((match) => match[1]))];
  assert.ok(lists.length >= 4, lists.join(', '));
  await Promise.all(lists.map(async (list) => {
    // In the stream's own time base: at a guessed frame rate two pictures of a camera that is not quite regular fall on one tick.
    const { stderr } = await run('ffmpeg', [
      '-nostdin', '-v', 'error', '-xerror', '-live_start_index', '0', '-i', `${base}/${list}`, '-t', '6', '-vsync', 'passthrough', '-enc_time_base', '-1', '-f', 'null', '-',
    ]);
    assert.equal(stderr, '', list);
  }));
  // The manifest names what is there.
  const manifest = await (await fetch(`${base}/manifest.mpd`)).text();
  const [, name, number] = /Representation id="(v\d)"[^]*?startNumber="(\d+)"/.exec(manifest);
  const response = await fetch(`${base}/${name}/s${number}.m4s`, { headers: { range: 'bytes=4-7' } });
  assert.deepEqual([response.status, await response.text()], [206, 'moof']);
  assert.match(response.headers.get('cache-control'), /^public, max-age=3600, immutable$/);
});
