// All sizes in one stream: what a viewer chooses is what its decoder gets, without a freeze.
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
  [server, browser] = await Promise.all([Server.start('layers', ['--open-publish', '--hls=false']), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

scenario('VP9 with all sizes in one stream: the one chosen is decoded, larger and smaller', async (stage) => {
  const studio = await stage.broadcast('VP9 SVC', { codec: 'VP9', scalabilityMode: 'L2T2_KEY', width: 640, height: 360, rate: 15 });
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  for (const [name, width] of [['360p', 640], ['180p', 320], ['360p', 640], ['180p', 320]]) {
    await viewer.chooseQuality(name);
    await viewer.showsWidth(width);
    await until('statistics to say so', async () => (await viewer.inbound('video')).frameWidth === width || void 0);
    await viewer.moves();
  }
  const { keyFramesDecoded, framesDecoded, pliCount, nackCount } = await viewer.inbound('video');
  assert.ok(framesDecoded > keyFramesDecoded);
  assert.equal(pliCount, 0, 'it never lacked a reference');
  assert.equal(nackCount, 0, 'and missed no number');
});
