// The front page lists what is on, shows it, and leads there.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { WatchPage } from './support/places.mjs';
import { until } from './support/until.mjs';

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([Server.start('home'), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

scenario('an empty home invites, a full one lists with preview and poster and leads to the match', async (stage) => {
  const page = await stage.page('/');
  await page.getByText('No live matches right now.').waitFor();
  await page.screenshot({ path: `${stage.out}/home-empty.png` });

  const studio = await stage.broadcast('First match');
  const second = await stage.broadcast('Second match', { rate: 10 });
  const featured = page.getByRole('region', { name: 'Featured match' });
  await featured.waitFor();
  const other = page.getByRole('heading', { name: 'Also live' });
  await other.waitFor();

  const preview = new WatchPage(page);
  await preview.moves();
  const posters = async () => page.evaluate(() => [...document.querySelectorAll('img.still')].filter((image) => image.naturalWidth > 0).length);
  // The preview plays, and nobody is counted for it.
  for (const { slug } of [studio, second]) {
    const { viewers, viewers_peak: peak } = await stage.server.broadcast(slug);
    assert.deepEqual({ viewers, peak }, { viewers: 0, peak: 0 }, slug);
  }
  await until('posters of both', async () => (await posters()) === 2, { within: 20_000 });

  const title = await featured.getByRole('heading').innerText();
  assert.ok(['First match', 'Second match'].includes(title), title);
  await featured.getByRole('link', { name: 'Watch live' }).click();
  await page.getByRole('heading', { name: title }).waitFor();
  await new WatchPage(page).moves();
  await page.goBack();
  await page.getByRole('region', { name: 'Featured match' }).waitFor();

  await studio.end();
  await second.end();
  await page.getByText('No live matches right now.').waitFor();
});

scenario('an unlisted broadcast stays off the list and can be watched by its link', async (stage) => {
  const studio = await stage.studio();
  await studio.page.getByLabel('Who can watch').selectOption({ label: 'People with the link' });
  await studio.goLive('By link only');
  assert.ok(!(await stage.server.broadcasts()).some(({ slug }) => slug === studio.slug));
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
});
