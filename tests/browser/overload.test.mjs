// A node that sends nearly as much as it may: those who come later watch by HLS, nobody's picture stops, and they come back when there is room.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';

/** Its largest layer takes 1.2 to 2.5 Mbit/s: one viewer fits below 85 % of four, three do not. */
const PICTURE = { codec: 'H264', width: 1280, height: 720, rate: 30 };

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([Server.start('overload', ['--open-publish', '--max-egress-mbps=4']), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

scenario('who finds no room watches by HLS and comes back when somebody has gone', async (stage) => {
  const studio = await stage.broadcast('Full house', PICTURE);
  const viewers = [];
  for (let count = 1; count <= 3; count++) {
    const viewer = await stage.watch(studio.slug);
    await viewer.moves({ within: 30_000 });
    viewers.push(viewer);
  }
  const [first] = viewers;
  const last = viewers.at(-1);
  assert.equal(await first.engine(), 'webrtc', 'there was room for one');
  await last.isBy('hls');
  await last.page.getByText('The fast lane is full', { exact: true }).waitFor();
  await Promise.all(viewers.map((viewer) => viewer.moves()));
  assert.equal((await server.broadcast(studio.slug)).viewers, viewers.length, 'they count whichever way they watch');

  for (const viewer of viewers) if (viewer !== last && (await viewer.engine()) === 'webrtc') await viewer.page.close();
  await last.isBy('webrtc', { within: 60_000 });
  await last.moves();
});
