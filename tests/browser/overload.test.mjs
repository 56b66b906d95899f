// A node that sends nearly as much as it may: those who come later watch by HLS, nobody's picture stops, and they come back when there is room.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

/** Its largest layer takes 0.7 to 2.5 Mbit/s, as the machine lets it: one viewer fits below 85 % of four, five do not. */
const PICTURE = { codec: 'H264', width: 1280, height: 720, rate: 30 };

const VIEWERS_MAX = 6;
/** A publisher's bit rate has grown by then, and a viewer was asked. */
const SETTLES_MS = 6_000;

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
  const first = await stage.watch(studio.slug);
  await first.moves({ within: 30_000 });
  assert.equal(await first.engine(), 'webrtc', 'there was room for one');
  const viewers = [first];
  let away;
  while (!away && viewers.length < VIEWERS_MAX) {
    const viewer = await stage.watch(studio.slug);
    viewers.push(viewer);
    await viewer.moves({ within: 30_000 });
    // The newest is refused at once, or asked to go when the picture has grown to what it takes.
    const hasGone = async () => {
      for (const one of viewers) if ((await one.engine()) === 'hls') return one;
      return void 0;
    };
    away = await until('somebody to be asked to go', hasGone, { within: SETTLES_MS }).catch(() => void 0);
  }
  assert.ok(away, `${viewers.length} viewers found room`);
  await away.page.getByText('The fast lane is full', { exact: true }).waitFor();
  await Promise.all(viewers.map((viewer) => viewer.moves()));
  assert.equal((await server.broadcast(studio.slug)).viewers, viewers.length, 'they count whichever way they watch');

  for (const viewer of viewers) if (viewer !== away) await viewer.page.close();
  await away.isBy('webrtc', { within: 60_000 });
  await away.moves();
  // Up to six viewers come one after the other, and each is given time to be asked.
}, { timeout: 150_000 });
