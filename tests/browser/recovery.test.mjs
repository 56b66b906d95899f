// What breaks mends itself: publishers and servers that go and come back, with nobody pressing anything.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([Server.start('recovery'), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

scenario('a publisher who loads the page again goes on with the same broadcast and the same viewers', async (stage) => {
  const studio = await stage.broadcast('Publisher reload');
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  const gap = viewer.says('Finding the match again', { within: 20_000 });
  await studio.page.reload();
  await gap;
  await studio.isLive();
  await viewer.moves();
  const { id, state } = await stage.server.broadcast(studio.slug);
  assert.deepEqual({ id, state }, { id: studio.id, state: 'live' });
});

scenario('a publisher who goes for good ends the broadcast after the time to return', async (stage) => {
  const studio = await stage.broadcast('Publisher gone');
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  await studio.page.close({ runBeforeUnload: false });
  await viewer.says('Finding the match again', { within: 20_000 });
  await viewer.says('That’s it for this match', { within: 30_000 });
});

scenario('studio and viewers come back by themselves after the server was killed', async (stage) => {
  const studio = await stage.broadcast('Server restart');
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  await stage.server.kill();
  await viewer.says('Finding the match again');
  await stage.server.startAgain();
  await studio.isLive({ within: 30_000 });
  await viewer.moves({ within: 30_000 });
  assert.equal((await stage.server.broadcast(studio.slug)).id, studio.id);
});

scenario('a server that is asked to stop stops in order while people watch', async (stage) => {
  const studio = await stage.broadcast('Ordered stop');
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  assert.equal(await stage.server.stop(), 0);
  await viewer.says('Finding the match again');
  await stage.server.startAgain();
  await viewer.moves({ within: 30_000 });
  await until('nothing left over of the former sessions', async () => (await stage.server.broadcast(studio.slug)).viewers === 1);
});
