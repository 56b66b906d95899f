// Who may publish and watch, and what those who may not (or cannot) are told.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

/** Nothing of this host answers there: to a browser the network swallows all UDP. */
const BLACK_HOLE = '192.0.2.77';

let open;
let closed;
let unreachable;
let browser;
before(async () => {
  [open, closed, unreachable, browser] = await Promise.all([
    Server.start('open-publish-closed-view', ['--open-publish', '--closed-view']),
    Server.start('closed-publish', []),
    Server.start('unreachable-media', ['--open-publish', '--public-ip', BLACK_HOLE, '--hls=false']),
    launchChromium(),
  ]);
});
after(async () => {
  await browser?.close();
  await Promise.all([open?.remove(), closed?.remove(), unreachable?.remove()]);
});
const scenario = scenarios(() => ({ server: open, browser }));

scenario('only invited people watch where watching is closed', async (stage) => {
  const studio = await stage.broadcast('Closed doors');
  const stranger = await stage.watch(studio.slug);
  await stranger.says('This match is by invitation');

  const invited = await stage.watch(studio.slug, { query: `?token=${await stage.server.token('--view', '--broadcast', studio.slug)}` });
  await invited.moves();
  await until('HLS to be ready under a signed path', () => invited.page.evaluate(() => performance.getEntriesByType('resource').some(
    ({ name, responseStatus }) => /\/hls\/[0-9a-f]{8}\.[^/]+\/[^/]+\/master\.m3u8$/.test(name) && responseStatus === 200,
  )), { within: 20_000 });

  const expired = await stage.server.token('--view', '--ttl', '1s');
  const late = await stage.watch(studio.slug, { query: `?token=${expired}` });
  await until('the invitation to run out', async () => {
    await late.page.reload();
    await late.says('This invite has run out', { within: 1_000 });
    return true;
  });

  const forged = await stage.watch(studio.slug, { query: '?token=not-a-token' });
  await forged.says('This match is by invitation');
  assert.equal(await invited.page.evaluate(() => document.querySelector('video').paused), false);
  await invited.moves();
});

scenario('where publishing is closed the studio says so before anybody tries', async (stage) => {
  const studio = await stage.studio({}, { server: closed });
  await studio.page.getByText('This server lets only invited people go live').waitFor();
  assert.equal(await studio.goLiveButton.isDisabled(), true);
  const refused = await fetch(`${closed.url}/whip/somewhere`, { method: 'POST', headers: { 'content-type': 'application/sdp' }, body: 'v=0\r\n' });
  assert.ok([401, 403].includes(refused.status), `HTTP ${refused.status}`);
});

scenario('the end is told in words to viewers and to the studio', async (stage) => {
  const studio = await stage.broadcast('The end');
  const token = await stage.server.token('--view');
  const viewer = await stage.watch(studio.slug, { query: `?token=${token}` });
  await viewer.moves();
  await studio.end();
  await viewer.says('That’s it for this match');
  await studio.page.getByRole('heading', { name: 'That’s a wrap' }).waitFor();
  const late = await stage.watch(studio.slug, { query: `?token=${token}` });
  await late.says('That’s it for this match');
});

scenario('an address without a match says so', async (stage) => {
  const lost = await stage.watch('no-such-match', { server: closed });
  await lost.says('No match at this address');
});

scenario('where no UDP gets through both sides are told what stands in the way', async (stage) => {
  const studio = await stage.studio({}, { server: unreachable });
  await studio.page.getByLabel('Title').fill('Nowhere to go');
  await studio.goLiveButton.click();
  await studio.page.getByText('This network blocks live video').waitFor({ timeout: 20_000 });
  const { slug } = await studio.own();
  const viewer = await stage.watch(slug, { server: unreachable });
  // Nothing is on air, so nothing is missing yet.
  await viewer.says('The match hasn’t started');
});
