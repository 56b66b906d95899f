// Nobody is sent pixels that nobody sees.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

let server;
let browser;
before(async () => {
  // The packager wants every layer, and a page that keeps HLS warm keeps the packager awake.
  [server, browser] = await Promise.all([Server.start('drawn', ['--open-publish', '--hls=false']), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

/** What a tab that is covered by another one tells its page; headless pages are never covered. */
const hide = (page, hidden) => page.evaluate((value) => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
  document.dispatchEvent(new Event('visibilitychange'));
}, hidden);

/** Resolves once statistics of the picture have stood still for a while in which `alive` has grown by `steps`. */
async function pictureStops(viewer, alive, steps) {
  await until('the picture to stop', async () => {
    const before = { video: (await viewer.inbound('video')).packetsReceived, alive: await alive() };
    await until('something else to go on', async () => (await alive()) >= before.alive + steps);
    return (await viewer.inbound('video')).packetsReceived === before.video;
  }, { within: 20_000 });
}

scenario('a small window gets a small picture, a large one the large picture again', async (stage) => {
  const studio = await stage.broadcast('Sizes', { width: 1280, height: 720, rate: 20 });
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  await viewer.showsWidth(1280, { within: 40_000 });
  await viewer.page.setViewportSize({ width: 390, height: 844 });
  await viewer.showsWidth(640);
  await viewer.page.setViewportSize({ width: 320, height: 500 });
  await viewer.showsWidth(320);
  await viewer.page.setViewportSize({ width: 1280, height: 800 });
  await viewer.showsWidth(1280, { within: 25_000 });
  await viewer.moves();
});

scenario('a picture that nobody sees stops, sound goes on, and it is back at once when it is seen', async (stage) => {
  const studio = await stage.broadcast('Another tab');
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  const connections = await viewer.page.evaluate(() => globalThis.connections.length);
  await hide(viewer.page, true);
  await pictureStops(viewer, async () => (await viewer.inbound('audio')).packetsReceived, 50);
  await hide(viewer.page, false);
  await viewer.moves();
  assert.equal(await viewer.page.evaluate(() => globalThis.connections.length), connections);
  assert.equal(await viewer.player.getByRole('heading').count(), 0);
});

scenario('without sound a picture that nobody sees is not taken for a broken connection', async (stage) => {
  const studio = await stage.broadcast('Silent film', { silent: true });
  const viewer = await stage.watch(studio.slug, { scripts: ['globalThis.beats = 0; setInterval(() => { globalThis.beats += 1; }, 100);'] });
  await viewer.moves();
  const connections = await viewer.page.evaluate(() => globalThis.connections.length);
  await viewer.page.evaluate(() => {
    globalThis.said = [];
    new MutationObserver(() => {
      const title = document.querySelector('.curtain h2')?.textContent;
      if (title) globalThis.said.push(title);
    }).observe(document.body, { subtree: true, childList: true });
  });
  await hide(viewer.page, true);
  await pictureStops(viewer, () => viewer.page.evaluate(() => globalThis.beats), 50);
  await hide(viewer.page, false);
  await viewer.moves();
  assert.equal(await viewer.page.evaluate(() => globalThis.connections.length), connections);
  assert.deepEqual(await viewer.page.evaluate(() => globalThis.said), []);
});

scenario('the studio sends only what somebody can use, and the rest again as soon as somebody can', async (stage) => {
  const studio = await stage.broadcast('For nobody yet', { width: 1280, height: 720, rate: 20 });
  const viewer = await stage.watch(studio.slug);
  await viewer.showsWidth(1280, { within: 40_000 });
  await studio.sends('720p · 360p · 180p');
  await viewer.page.setViewportSize({ width: 390, height: 844 });
  await viewer.showsWidth(640);
  await studio.sends('360p · 180p');
  await viewer.moves();
  await viewer.page.setViewportSize({ width: 1280, height: 800 });
  await viewer.showsWidth(1280, { within: 40_000 });
  await studio.sends('720p · 360p · 180p');
  await viewer.page.close();
  await studio.sends('180p');
  await studio.page.locator('summary', { hasText: 'Sizes on air' }).click();
  await until('the reason', async () => (await studio.page.getByRole('cell', { name: 'Nobody needs it' }).count()) === 2);
  const next = await stage.watch(studio.slug);
  await next.moves();
  await next.showsWidth(1280, { within: 40_000 });
});
