// The main job through the real pages: go live in one browser, watch in others.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
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
