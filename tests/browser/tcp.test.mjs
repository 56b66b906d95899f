// Media over TCP: for viewers whose network lets no UDP through, from the start or from one moment on.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { WatchPage } from './support/places.mjs';
import { Relay } from './support/relay.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { betweenPageAndServer } from './support/signaling.mjs';
import { until } from './support/until.mjs';

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([Server.start('tcp', ['--open-publish', '--hls=false']), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

/** A viewer whose media can only come through `relay`. */
async function watchThrough(relay, stage, slug) {
  const page = await stage.page();
  await betweenPageAndServer(page, relay.redirect);
  await page.goto(`/watch/${slug}`);
  return new WatchPage(page);
}

scenario('a viewer whose network lets no UDP through has the picture over TCP', async (stage) => {
  const studio = await stage.broadcast('Closed network');
  const relay = await Relay.open();
  relay.let({ udp: false });
  try {
    const begin = performance.now();
    const viewer = await watchThrough(relay, stage, studio.slug);
    await viewer.moves();
    console.log(`picture moves after ${Math.round(performance.now() - begin)} ms`);
    assert.ok(relay.heard > 0, 'UDP was tried');
    assert.equal((await viewer.path()).protocol, 'tcp');
  } finally {
    relay.close();
  }
});

scenario('a viewer whose UDP dies in the middle goes on over TCP', async (stage) => {
  const studio = await stage.broadcast('Closing network');
  const relay = await Relay.open();
  try {
    const viewer = await watchThrough(relay, stage, studio.slug);
    await viewer.moves();
    assert.equal((await viewer.path()).protocol, 'udp');
    const standstill = await viewer.page.evaluateHandle(() => {
      const video = document.querySelector('video');
      const seen = { longestMs: 0, last: performance.now(), log: [] };
      const next = () => video.requestVideoFrameCallback((now) => {
        if (now - seen.last > 150) seen.log.push([Math.round(seen.last), Math.round(now)]);
        seen.longestMs = Math.max(seen.longestMs, now - seen.last);
        seen.last = now;
        next();
      });
      next();
      return seen;
    });
    relay.let({ udp: false });
    await until('the session to move to TCP', async () => (await viewer.path()).protocol === 'tcp', { within: 30_000 });
    await viewer.moves();
    console.log(JSON.stringify(await standstill.jsonValue()));
  } finally {
    relay.close();
  }
});
