// A match that is recorded: rewound while it is live, watched again when it is over. Chromium publishes three layers of H.264 from the Studio.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { after, before } from 'node:test';
import { promisify } from 'node:util';
import { launchChromium } from './support/chromium.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

const HLS_JS = createRequire(import.meta.url).resolve('hls.js/dist/hls.min.js');
const run = promisify(execFile);

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([Server.start('dvr', ['--open-publish', '--dvr']), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

/** A page that plays `url` from `startPosition` on and keeps what goes wrong. */
async function play(stage, url, startPosition) {
  const page = await stage.page(null);
  const address = `${server.url}/player.html`;
  await page.route(address, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><video muted playsinline autoplay></video>' }));
  await page.goto(address);
  await page.addScriptTag({ path: HLS_JS });
  await page.evaluate(([source, from]) => {
    const video = document.querySelector('video');
    const player = new globalThis.Hls({ enableWorker: false, startPosition: from });
    globalThis.fatal = [];
    player.on(globalThis.Hls.Events.ERROR, (_, { fatal, details }) => {
      if (fatal) globalThis.fatal.push(details);
    });
    globalThis.marked = new Set();
    player.on(globalThis.Hls.Events.LEVEL_UPDATED, (_, { details }) => {
      for (const { attr } of Object.values(details.dateRanges)) globalThis.marked.add(attr['X-COURTSIDE-LABEL']);
    });
    player.loadSource(source);
    player.attachMedia(video);
    globalThis.player = player;
  }, [url, startPosition]);
  return page;
}

const text = async (path) => {
  const response = await fetch(`${server.url}${path}`);
  return response.ok ? response.text() : '';
};
const segments = (playlist) => playlist.split('\n').filter((line) => line.endsWith('.m4s'));

scenario('a match is rewound while it is live, and its replay is whole', async (stage) => {
  const studio = await stage.broadcast('Recorded', { codec: 'H264', width: 1280, height: 720, rate: 30 });
  const base = `/hls/${studio.slug}`;
  // Nobody has asked for anything: it is recorded all the same.
  const master = await until('every rendition', async () => {
    const found = await text(`${base}/dvr.m3u8`);
    return ['v0/', 'v1/', 'aac/', 'opus/'].every((name) => found.includes(name)) ? found : void 0;
  }, { within: 20_000 });
  await until('ten seconds of it', async () => segments(await text(`${base}/v0/dvr.m3u8`)).length >= 6, { within: 25_000 });
  const live = await play(stage, `${server.url}${base}/dvr.m3u8`, 0);
  await until('the first picture', () => live.evaluate(() => document.querySelector('video').currentTime > 1), { within: 10_000 });
  assert.ok(await live.evaluate(() => document.querySelector('video').currentTime < 8), 'it begins with the beginning');
  assert.deepEqual(await live.evaluate(() => globalThis.fatal), []);

  const { id } = await server.broadcast(studio.slug);
  const token = await server.token('--broadcast', studio.slug, '--publish', '--view');
  const ask = (path, method, body) => fetch(`${server.url}/api/v1/broadcasts/${id}${path}`, {
    method, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: body && JSON.stringify(body),
  });
  assert.equal((await ask('/markers', 'POST', { kind: 'goal', label: '1:0' })).status, 201);
  await until('the marker in the player', () => live.evaluate(() => globalThis.marked.has('1:0')), { within: 10_000 });
  assert.equal((await ask('', 'DELETE')).status, 200);
  const replay = await until('the replay', async () => {
    const found = await text(`${base}/v0/dvr.m3u8`);
    return found.endsWith('#EXT-X-ENDLIST\n') ? found : void 0;
  }, { within: 10_000 });
  assert.match(replay, /#EXT-X-PLAYLIST-TYPE:VOD\n/);

  // Every rendition is decoded from end to end.
  const lists = [...new Set([...master.matchAll(/(?:URI="|^)([^"#\n]+\.m3u8)/gm)].map((match) => match[1]))];
  await Promise.all(lists.map(async (list) => {
    const { stderr } = await run('ffmpeg', [
      '-nostdin', '-v', 'error', '-xerror', '-i', `${server.url}${base}/${list}`, '-vsync', 'passthrough', '-enc_time_base', '-1', '-f', 'null', '-',
    ]);
    assert.equal(stderr, '', list);
  }));
  const { stdout: seconds } = await run('ffprobe', ['-v', 'error', '-show_entries', 'format=duration', '-of', 'csv=p=0', `${server.url}${base}/v0/dvr.m3u8`]);
  assert.ok(Math.abs(Number(seconds) - segments(replay).length * 2) < 6, `${seconds} s of ${segments(replay).length} segments`);

  const thumbs = await text(`${base}/thumbs.vtt`);
  const [, sheet] = /-->.*\n(thumbs\/t\d+-\d+\.jpg)#xywh=0,0,160,90\n/.exec(thumbs) ?? assert.fail(thumbs);
  const picture = await fetch(`${server.url}${base}/${sheet}`);
  assert.equal(picture.headers.get('content-type'), 'image/jpeg');
  const size = await live.evaluate(async (source) => {
    const image = new Image();
    image.src = source;
    await image.decode();
    return [image.naturalWidth, image.naturalHeight];
  }, `${server.url}${base}/${sheet}`);
  assert.deepEqual(size, [800, 450]);

  const again = await play(stage, `${server.url}${base}/dvr.m3u8`, -1);
  await until('the end of the replay', () => again.evaluate(() => {
    const video = document.querySelector('video');
    if (video.readyState > 0 && video.duration > 6 && video.currentTime < video.duration - 4) video.currentTime = video.duration - 3;
    return video.ended;
  }), { within: 15_000 });
  assert.deepEqual(await again.evaluate(() => globalThis.fatal), []);
});
