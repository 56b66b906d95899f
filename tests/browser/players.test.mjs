// Players that are not ours, in real Chromium: shaka-player and dash.js play what the packager makes of a browser's layers.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launchChromium } from './support/chromium.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

const { resolve } = createRequire(import.meta.url);
const PLAYS_FOR_MS = 10_000;
/** Four a second. 30 are drawn; headless Chromium shows few of them on a busy machine. A picture that stands still is one. */
const PICTURES_MIN = 40;
/** What a player holds back, its segments, and the way to the server. */
const AGE_MAX_MS = 15_000;

/** How each is started in the page: `heard` is what it says. */
const PLAYERS = {
  shaka: {
    script: resolve('shaka-player/dist/shaka-player.compiled.js'),
    start: async (source) => {
      const { shaka, heard } = globalThis;
      shaka.polyfill.installAll();
      const player = new shaka.Player();
      globalThis.player = player;
      const say = (error) => {
        // Also what is no error of the player's own, but an exception out of it.
        const { severity, category, code, data } = error;
        const words = code === undefined ? `${error?.stack ?? error}` : `${category}/${code} ${JSON.stringify(data)?.slice(0, 300)}`;
        (severity === shaka.util.Error.Severity.RECOVERABLE ? heard.errors : heard.fatal).push(words);
      };
      player.addEventListener('error', ({ detail }) => say(detail));
      await player.attach(document.querySelector('video'));
      await player.load(source).catch(say);
    },
    heights: () => [...new Set(globalThis.player.getVariantTracks().map(({ height }) => height))],
  },
  dash: {
    // Its file for pages is beside the one that its package names.
    script: fileURLToPath(new URL('./node_modules/dashjs/dist/modern/umd/dash.all.min.js', import.meta.url)),
    start: async (source) => {
      const { dashjs, heard } = globalThis;
      const player = dashjs.MediaPlayer().create();
      globalThis.player = player;
      // dash.js goes on after what it calls an error only where it says so itself.
      player.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => heard.fatal.push(`${error?.code} ${error?.message}`));
      player.on(dashjs.MediaPlayer.events.PLAYBACK_ERROR, ({ error }) => heard.fatal.push(`playback ${error?.message ?? error}`));
      player.initialize(document.querySelector('video'), source, true);
    },
    heights: () => [...new Set(globalThis.player.getRepresentationsByType('video').map(({ height }) => height))],
  },
};

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([Server.start('players'), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

/** A page on which one of them plays `url`. */
async function play(stage, { script, start }, url) {
  const page = await stage.page(null);
  // A page of the test's own at the server's address: ours allow no script but their own.
  const address = `${server.url}/player.html`;
  await page.route(address, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><video muted playsinline autoplay></video>' }));
  await page.goto(address);
  await page.addScriptTag({ path: script });
  await page.evaluate(() => {
    globalThis.heard = { fatal: [], errors: [], stalls: 0, began: false };
    const video = document.querySelector('video');
    video.addEventListener('playing', () => { globalThis.heard.began = true; });
    video.addEventListener('waiting', () => { if (globalThis.heard.began) globalThis.heard.stalls += 1; });
  });
  await page.evaluate(`(${start})(${JSON.stringify(url)})`);
  return page;
}

const heard = (page) => page.evaluate(() => globalThis.heard);

/** Numbers and ages of the pictures on screen for a while, and the seconds of the element that went by. */
const watch = (page, forMs) => page.evaluate((wanted) => {
  const { read, age } = globalThis.barcode;
  const video = document.querySelector('video');
  return new Promise((done) => {
    const found = { counters: [], ages: [], shown: 0, seconds: 0 };
    const [started, from] = [performance.now(), video.currentTime];
    const end = () => done({ ...found, seconds: video.currentTime - from });
    const frame = () => {
      found.shown += 1;
      const counter = read(video);
      if (counter !== null) {
        found.counters.push(counter);
        found.ages.push(age(counter));
      }
      if (performance.now() - started < wanted) video.requestVideoFrameCallback(frame);
      else end();
    };
    video.requestVideoFrameCallback(frame);
    // A picture that stands still calls nobody.
    setTimeout(end, wanted + 2_000);
  });
}, forMs);

for (const [name, file] of [['shaka', 'manifest.mpd'], ['shaka', 'master.m3u8'], ['dash', 'manifest.mpd']]) {
  scenario(`${name === 'dash' ? 'dash.js' : 'shaka-player'} plays ${file} with every layer to choose from and no fatal error`, async (stage) => {
    const studio = await stage.broadcast(`By ${name} from ${file}`, { codec: 'H264', width: 1280, height: 720, rate: 30 });
    const player = PLAYERS[name];
    const url = `${server.url}/hls/${studio.slug}/${file}`;
    // A busy browser does not send all its layers.
    const listed = new Set([...(await (await fetch(url)).text()).matchAll(/RESOLUTION=\d+x(\d+)| height="(\d+)"/g)].map(([, one, other]) => Number(one ?? other)));
    assert.ok(listed.size > 0, 'no picture is listed');
    const page = await play(stage, player, url);
    await until('the picture to play', async () => {
      const said = await heard(page);
      assert.deepEqual(said.fatal, []);
      return said.began;
    }, { within: 25_000 });
    const { counters, ages, shown, seconds } = await watch(page, PLAYS_FOR_MS);
    const { fatal, errors, stalls } = await heard(page);
    const heights = await page.evaluate(`(${player.heights})()`);
    const sorted = ages.toSorted((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)];
    console.log(`${name} ${file}: ${shown} pictures in ${seconds.toFixed(1)} s, median age ${median} ms, heights ${heights}, ${stalls} stalls, errors ${JSON.stringify(errors)}`);
    assert.deepEqual(fatal, []);
    assert.ok(shown >= PICTURES_MIN && new Set(counters).size > PICTURES_MIN / 2, `${shown} pictures, ${new Set(counters).size} different ones could be read`);
    assert.ok(seconds > PLAYS_FOR_MS / 1000 / 2, `it played ${seconds} s`);
    assert.ok(median < AGE_MAX_MS, `the picture is ${median} ms old`);
    for (const height of listed) assert.ok(heights.includes(height), `${height} is listed, and there are ${heights} to choose from`);
  });
}
