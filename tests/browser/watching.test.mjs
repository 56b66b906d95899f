// The main job through the real pages: go live in one browser, watch in others.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { WatchPage } from './support/places.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([Server.start('watching'), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

scenario('a picture goes from the studio to a viewer in well under a second', async (stage) => {
  const studio = await stage.broadcast('Studio to watch');
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  await viewer.page.getByRole('heading', { name: 'Studio to watch' }).waitFor();
  const age = await until('a fresh picture', async () => {
    const now = await viewer.age();
    return now !== null && now < 1_000 ? now : void 0;
  });
  assert.ok(age >= 0, `the picture is ${age} ms old`);
});

scenario('the studio shows what it sends and how it goes', async (stage) => {
  const studio = await stage.broadcast('Layers');
  // What nobody can use is not sent.
  await (await stage.watch(studio.slug)).moves();
  const main = studio.page.getByRole('main');
  await main.getByRole('group', { name: 'Your stream' }).waitFor();
  const sizes = main.locator('summary', { hasText: 'Sizes on air' });
  // The larger one comes when the browser has found the bandwidth for it.
  await until('both sizes on air', async () => (await sizes.innerText()).includes('360p · 180p'), { within: 30_000 });
  await main.locator('summary', { hasText: 'Sizes on air' }).click();
  const arriving = await until('bit rates of what arrives', async () => {
    const rows = await main.getByRole('row').allInnerTexts();
    return rows.length === 3 && rows.slice(1).every((row) => /kbps|Mbps/.test(row)) ? rows : void 0;
  });
  assert.match(arriving[1], /640 × 360/);
  assert.match(arriving[2], /320 × 180/);
});

scenario('three viewers watch at once and are counted', async (stage) => {
  const studio = await stage.broadcast('Three viewers');
  const viewers = await Promise.all([1, 2, 3].map(() => stage.watch(studio.slug)));
  await Promise.all(viewers.map((viewer) => viewer.moves()));
  await until('all three counted', async () => (await stage.server.broadcast(studio.slug)).viewers === 3);
  await studio.page.getByTitle('Watching now').filter({ hasText: '3' }).waitFor();
  for (const viewer of viewers) {
    const video = await viewer.inbound('video');
    assert.ok(video.framesDecoded > 0 && video.keyFramesDecoded >= 1, JSON.stringify(video));
  }
});

scenario('the quality menu changes the size of the frames, and back to automatic', async (stage) => {
  const studio = await stage.broadcast('Quality', { width: 1280, height: 720, rate: 20 });
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  await viewer.chooseQuality('180p');
  await viewer.showsWidth(320);
  await viewer.chooseQuality('720p');
  await viewer.showsWidth(1280);
  await viewer.moves();
  await viewer.chooseQuality('360p');
  await viewer.showsWidth(640);
  await viewer.chooseQuality('Auto');
  await viewer.showsWidth(1280, { within: 25_000 });
  await viewer.moves();
});

scenario('sound only stops the picture and a quality brings it back', async (stage) => {
  const studio = await stage.broadcast('Sound only');
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  await viewer.chooseQuality('Sound only');
  await viewer.says('Sound only');
  const before = await viewer.inbound('audio');
  await until('sound to go on', async () => (await viewer.inbound('audio')).packetsReceived > before.packetsReceived + 50);
  await viewer.chooseQuality('360p');
  await viewer.moves();
});

scenario('a viewer who loads the page again sees the picture again', async (stage) => {
  const studio = await stage.broadcast('Viewer reload');
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  await viewer.page.reload();
  await viewer.moves();
  await until('the former visit to be over', async () => (await stage.server.broadcast(studio.slug)).viewers === 1);
});

scenario('the keyboard runs the player', async (stage) => {
  const studio = await stage.broadcast('Keyboard');
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  const { page } = viewer;
  const video = (property) => page.evaluate((name) => document.querySelector('video')[name], property);
  const press = (key) => page.keyboard.press(key);
  await press('m');
  await until('mute', () => video('muted'));
  await press('m');
  await until('sound', async () => !(await video('muted')));
  await press('ArrowDown');
  await until('less volume', async () => (await video('volume')) < 1);
  await press('k');
  await viewer.player.getByRole('button', { name: 'Play', exact: true }).waitFor();
  assert.equal(await video('paused'), true);
  await press('Space');
  await viewer.player.getByRole('button', { name: 'Pause', exact: true }).waitFor();
  await viewer.moves();
  await press('i');
  await viewer.player.getByRole('region', { name: 'Stream stats' }).waitFor();
  await press('i');
  await viewer.player.getByRole('region', { name: 'Stream stats' }).waitFor({ state: 'detached' });
  await press('t');
  await page.getByRole('button', { name: 'Leave theatre' }).waitFor();
  await press('t');
  await press('f');
  await until('full screen', () => page.evaluate(() => document.fullscreenElement !== null));
  await press('f');
  await until('no full screen', () => page.evaluate(() => document.fullscreenElement === null));
  await press('?');
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
  await press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
});

/** Tells on the console how each attempt to play ended. */
const TELL_PLAY = `{
  const { play } = HTMLMediaElement.prototype;
  HTMLMediaElement.prototype.play = function () {
    const played = play.call(this);
    played.then(() => console.info('played'), ({ name }) => console.info('not played: ' + name));
    return played;
  };
}`;

scenario('where sound may not start by itself, one tap brings it', async (stage) => {
  const strict = await launchChromium({ autoplay: 'strict' });
  try {
    const studio = await stage.broadcast('Autoplay');
    const page = await stage.page(null, { browser: strict, scripts: [TELL_PLAY] });
    // Whatever the test asks a page counts as a person's gesture: it may ask nothing before the browser has decided.
    const decided = page.waitForEvent('console', { predicate: (message) => message.text().includes('played') });
    await page.goto(`/watch/${studio.slug}`, { waitUntil: 'commit' });
    assert.equal((await decided).text(), 'not played: NotAllowedError');
    const tap = page.getByRole('button', { name: 'Tap for sound' });
    await tap.waitFor();
    const viewer = new WatchPage(page);
    await viewer.moves();
    assert.equal(await page.evaluate(() => document.querySelector('video').muted), true);
    await tap.click();
    await until('sound', () => page.evaluate(() => !document.querySelector('video').muted && !document.querySelector('video').paused));
    await tap.waitFor({ state: 'detached' });
    await viewer.moves();
  } finally {
    await strict.close();
  }
});
