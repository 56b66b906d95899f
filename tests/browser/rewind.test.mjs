// A person goes back in a match that is on, comes back to it, and watches it again when it is over.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { WatchPage } from './support/places.mjs';
import { recorded } from './support/recorded.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

const FLIPS = readFileSync(new URL('./support/flips.js', import.meta.url), 'utf8');
const PICTURE = { codec: 'H264', width: 640, height: 360, rate: 30 };
/** The live edge by WebRTC. */
const LIVE_AGE_MAX_MS = 900;
/** What must have been recorded before there is something to go back to. */
const RECORDED_S = 16;

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([Server.start('rewind', ['--open-publish', '--dvr']), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

const slider = (viewer) => viewer.player.getByRole('slider', { name: 'Time in the match' });
const said = (viewer) => slider(viewer).getAttribute('aria-valuetext');
const stir = (viewer) => viewer.page.mouse.move(640, 300 + Math.random() * 20);

/** Waits for a picture that is as old as it should be, ms. */
async function ageIs(viewer, from, to, { within = 8_000 } = {}) {
  let age = null;
  await until(`a picture ${from} to ${to} ms old`, async () => {
    age = await viewer.age();
    return age !== null && age >= from && age <= to ? true : void 0;
  }, { within }).catch((thrown) => { throw new Error(`${thrown.message}: it is ${age} ms old`); });
  return age;
}

/** What a page of this server may ask as the broadcast's owner. */
async function asker(slug) {
  const { id } = await server.broadcast(slug);
  const token = await server.token('--broadcast', slug, '--publish', '--view');
  return (path, method, body) => fetch(`${server.url}/api/v1/broadcasts/${id}${path}`, {
    method, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: body && JSON.stringify(body),
  });
}

scenario('a person goes back by keys and on the bar, and LIVE brings the edge', async (stage) => {
  const studio = await stage.broadcast('Rewound', PICTURE);
  await recorded(server, studio.slug, RECORDED_S);
  const viewer = await stage.watch(studio.slug, { scripts: [FLIPS] });
  await viewer.moves();
  assert.equal(await viewer.engine(), 'webrtc');
  await slider(viewer).waitFor();
  assert.equal(await said(viewer), 'live');

  // Ten seconds back by key.
  const pressed = performance.now();
  await viewer.page.keyboard.press('j');
  await viewer.isBy('hls');
  console.log(`the past is on screen ${Math.round(performance.now() - pressed)} ms after the key`);
  const tenBack = await ageIs(viewer, 9_000, 13_000);
  await viewer.moves();
  assert.match(await said(viewer), /^1\d seconds behind live$/);
  await viewer.page.keyboard.press('ArrowLeft');
  await ageIs(viewer, tenBack + 3_500, tenBack + 7_500);
  await viewer.moves();

  // A click on the bar.
  await stir(viewer);
  const box = await viewer.player.locator('.seek .rail').boundingBox();
  await viewer.page.mouse.click(box.x + box.width * 0.3, box.y + box.height / 2);
  const sinceStart = Date.now() - (await server.broadcast(studio.slug)).started_at_ms;
  await ageIs(viewer, sinceStart * 0.7 - 4_000, sinceStart * 0.7 + 4_000);
  await viewer.moves();

  await stir(viewer);
  const wished = performance.now();
  await viewer.player.getByRole('button', { name: 'go to the live edge' }).click();
  await viewer.isBy('webrtc');
  console.log(`LIVE is on screen ${Math.round(performance.now() - wished)} ms after the press`);
  await viewer.moves();
  await ageIs(viewer, 0, LIVE_AGE_MAX_MS);
  assert.equal(await said(viewer), 'live');
  const flips = [...(await viewer.page.evaluate(() => globalThis.flipsFrom('webrtc'))), ...(await viewer.page.evaluate(() => globalThis.flipsFrom('hls')))];
  assert.ok(flips.length === 2 && flips.every(({ readable }) => readable), 'the picture was never black');
});

scenario('who watches the buffered picture goes back and comes to the edge again, and it plays each time', async (stage) => {
  const studio = await stage.broadcast('Buffered', PICTURE);
  await recorded(server, studio.slug, RECORDED_S);
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  await slider(viewer).waitFor();
  await viewer.chooseTransport('Buffered');
  await viewer.isBy('hls');
  await viewer.moves();
  const age = await viewer.age();

  await viewer.page.keyboard.press('j');
  await ageIs(viewer, age + 6_000, age + 14_000);
  await viewer.moves();

  await stir(viewer);
  await viewer.player.getByRole('button', { name: 'go to the live edge' }).click();
  await ageIs(viewer, 0, age + 3_000);
  await viewer.moves();
  assert.equal(await viewer.engine(), 'hls');
  assert.equal(await said(viewer), 'live');

  // Stopped for a while it goes on where it stopped, by the recording on the same element.
  await viewer.page.keyboard.press('k');
  const stoppedAt = (await viewer.look()).counter;
  await viewer.page.waitForFunction((since) => performance.now() > since + 8_000, await viewer.page.evaluate(() => performance.now()));
  await viewer.page.keyboard.press('k');
  await viewer.moves({ steps: 2 });
  const wentOn = (await viewer.look()).counter - stoppedAt;
  assert.ok(wentOn > -2_500 && wentOn < 5_000, `it went on ${wentOn} ms after the place where it was stopped`);
});

scenario('the past can be stopped and played faster', async (stage) => {
  const studio = await stage.broadcast('Faster', PICTURE);
  await recorded(server, studio.slug, RECORDED_S);
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  await slider(viewer).waitFor();
  // A second wish before the first one has come.
  await viewer.page.keyboard.press('j');
  await viewer.page.keyboard.press('Home');
  await viewer.isBy('hls');
  await viewer.moves();

  // Stopped, it keeps its place.
  await viewer.page.keyboard.press('k');
  const stoppedAt = (await viewer.look()).counter;
  await viewer.page.waitForFunction((since) => performance.now() > since + 2_000, await viewer.page.evaluate(() => performance.now()));
  assert.equal((await viewer.look()).counter, stoppedAt);
  await viewer.page.keyboard.press('k');
  await viewer.moves({ steps: 2 });
  const wentOn = (await viewer.look()).counter - stoppedAt;
  assert.ok(wentOn > 0 && wentOn < 2_500, `it went on ${wentOn} ms after the place where it was stopped`);

  // Twice as fast, from the menu.
  await stir(viewer);
  await viewer.player.getByRole('button', { name: 'Quality and settings' }).click();
  await viewer.page.getByRole('menuitem', { name: /^Speed/ }).click();
  await viewer.page.getByRole('menuitemradio', { name: '2×' }).click();
  const before = await ageIs(viewer, 1_000, 60_000);
  await ageIs(viewer, 1_000, before - 2_000, { within: 10_000 });
});

scenario('who stops a live picture for a while goes on where it stopped', async (stage) => {
  const studio = await stage.broadcast('Stopped', PICTURE);
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  await slider(viewer).waitFor();
  await viewer.page.keyboard.press('k');
  const stoppedAt = (await viewer.look()).counter;
  await recorded(server, studio.slug, RECORDED_S);
  await viewer.page.keyboard.press('k');
  await viewer.isBy('hls');
  await viewer.moves({ steps: 2 });
  const wentOn = (await viewer.look()).counter - stoppedAt;
  assert.ok(Math.abs(wentOn) < 2_500, `it went on ${wentOn} ms after the place where it was stopped`);
});

scenario('a moment is played from before it, and a match that is over is watched again', async (stage) => {
  const studio = await stage.broadcast('Moments', PICTURE);
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  await recorded(server, studio.slug, 8);
  const ask = await asker(studio.slug);
  const marked = await ask('/markers', 'POST', { kind: 'goal', label: '1:0' });
  assert.equal(marked.status, 201);
  const { media_time_ms: markedAt } = await marked.json();
  await recorded(server, studio.slug, 20);
  await stir(viewer);
  await viewer.player.getByRole('button', { name: /^Play Goal: 1:0/ }).click();
  await viewer.isBy('hls');
  const ageOfMoment = Date.now() - markedAt;
  await ageIs(viewer, ageOfMoment + 1_000, ageOfMoment + 8_000);
  await viewer.moves();

  // A picture of the place under the pointer.
  await until('a preview picture', async () => {
    const box = await viewer.player.locator('.seek .rail').boundingBox();
    await viewer.page.mouse.move(box.x + box.width * (0.2 + Math.random() * 0.2), box.y + box.height / 2);
    return viewer.page.evaluate(async () => {
      const shown = getComputedStyle(document.querySelector('.peek i') ?? document.body).backgroundImage;
      const url = /url\("(.+)"\)/.exec(shown)?.[1];
      return url ? (await fetch(url)).ok || void 0 : void 0;
    });
  }, { within: 15_000 });

  assert.equal((await ask('', 'DELETE')).status, 200);
  // Who is in the past stays there when it ends.
  await viewer.player.getByText('REPLAY', { exact: true }).waitFor();
  await viewer.moves();

  const late = new WatchPage(await stage.page(`/watch/${studio.slug}`));
  await late.says('Watch it back');
  await late.player.getByRole('button', { name: 'Play replay' }).click();
  await late.isBy('hls');
  await late.moves();
  const { started_at_ms: startedAt } = await server.broadcast(studio.slug);
  const age = await late.age();
  assert.ok(Date.now() - startedAt - age < 6_000, 'it begins with the beginning');
  assert.match(await said(late), /^\d+ seconds? of \d+ seconds$/);
  await stir(late);
  await late.player.getByRole('button', { name: /^Play Goal: 1:0/ }).click();
  await ageIs(late, Date.now() - markedAt, Date.now() - markedAt + 8_000);
  await late.moves();
});
