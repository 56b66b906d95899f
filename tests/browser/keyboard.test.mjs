// The whole way by keyboard: from Home to the picture and through the player, from the Studio on air and off again. Nothing is clicked, and
// whatever has focus shows it.
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
  [server, browser] = await Promise.all([Server.start('keyboard'), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

/** No page has more places to stop at. */
const STOPS_MAX = 60;

/** What has focus: its name, and whether a person can see that it has. */
const focused = (page) => page.evaluate(() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const label = element.getAttribute('aria-label') ?? element.labels?.[0]?.innerText ?? element.innerText ?? '';
  const style = getComputedStyle(element);
  return { name: label.trim().split('\n')[0], seen: style.outlineStyle !== 'none' || style.boxShadow !== 'none' };
});

/** Presses Tab until what has focus goes by `name`. */
async function tabTo(page, name) {
  const stops = [];
  for (let stop = 0; stop < STOPS_MAX; stop++) {
    await page.keyboard.press('Tab');
    const now = await focused(page);
    if (now === null) continue;
    assert.ok(now.seen, `"${now.name}" has focus and does not show it`);
    stops.push(now.name);
    if (now.name.startsWith(name)) return;
  }
  assert.fail(`Tab never comes to "${name}": ${stops.join(' | ')}`);
}

scenario('from Home to the picture, its quality, its statistics and back', async (stage) => {
  const studio = await stage.broadcast('By keyboard');
  const page = await stage.page('/');
  await page.getByRole('link', { name: 'Watch live' }).waitFor();
  await page.keyboard.press('Tab');
  assert.equal((await focused(page)).name, 'Skip to the match');
  await page.keyboard.press('Enter');
  await tabTo(page, 'Watch live');
  await page.keyboard.press('Enter');
  const viewer = new WatchPage(page);
  await viewer.moves();
  assert.match(page.url(), new RegExp(`/watch/${studio.slug}$`));

  await tabTo(page, 'Mute');
  await page.keyboard.press('Enter');
  await until('mute', () => page.evaluate(() => document.querySelector('video').muted));
  await page.keyboard.press('Enter');
  await tabTo(page, 'Volume');
  await page.keyboard.press('ArrowLeft');
  await until('sound again, a little less', () => page.evaluate(() => {
    const { muted, volume } = document.querySelector('video');
    return !muted && volume < 1;
  }));
  await tabTo(page, 'Quality and settings');
  await page.keyboard.press('Enter');
  const item = page.getByRole('menuitemradio', { name: /^180p/ });
  await item.waitFor({ timeout: 30_000 });
  assert.match((await focused(page)).name, /^Auto/);
  await until('the smallest size in focus', async () => {
    await page.keyboard.press('ArrowDown');
    return (await focused(page)).name.startsWith('180p');
  });
  await page.keyboard.press('Enter');
  await viewer.showsWidth(320);
  await until('focus back where it was', async () => (await focused(page))?.name === 'Quality and settings');
  await page.keyboard.press('Enter');
  await item.waitFor();
  await page.keyboard.press('Escape');
  await item.waitFor({ state: 'detached' });
  await until('focus back where it was', async () => (await focused(page))?.name === 'Quality and settings');

  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
  assert.equal((await focused(page)).name, 'Use keyboard shortcuts');
  await page.keyboard.press('Space');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  // Switched off (WCAG 2.1.4): a letter does nothing any more.
  await page.keyboard.press('i');
  await page.keyboard.press('m');
  assert.equal(await page.evaluate(() => document.querySelector('video').muted), false);
  assert.equal(await page.getByRole('region', { name: 'Stream stats' }).count(), 0);
});

scenario('on air and off again', async (stage) => {
  const studio = await stage.studio();
  const { page } = studio;
  await page.getByText('The server is ready for you').waitFor();
  await tabTo(page, 'Title');
  await page.keyboard.type('Hands on the keys');
  await tabTo(page, 'Teams and score');
  await page.keyboard.press('Space');
  await tabTo(page, 'Home team');
  await page.keyboard.type('Northgate');
  await tabTo(page, 'Away team');
  await page.keyboard.type('Harbour');
  await tabTo(page, 'Go live');
  await page.keyboard.press('Enter');
  await studio.isLive();
  const { slug } = await studio.own();

  await tabTo(page, 'One more for Northgate');
  await page.keyboard.press('Enter');
  await until('the score', async () => (await stage.server.broadcast(slug)).score?.home === 1);
  await tabTo(page, 'Goal');
  await page.keyboard.press('Enter');
  await until('the moment', async () => (await stage.server.broadcast(slug)).markers.length === 1);

  await tabTo(page, 'End broadcast');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'End this broadcast?' }).waitFor();
  assert.equal((await focused(page)).name, 'Keep going');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await until('focus back where it was', async () => (await focused(page))?.name === 'End broadcast');
  await page.keyboard.press('Enter');
  // The button that opens the dialog has the same name as the one in it: only what the dialog has focused is the way on.
  const dialog = page.getByRole('dialog', { name: 'End this broadcast?' });
  await dialog.getByRole('button', { name: 'Keep going' }).and(page.locator(':focus')).waitFor();
  await tabTo(page, 'End broadcast');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'That’s a wrap' }).waitFor();
  assert.equal((await stage.server.broadcast(slug)).state, 'ended');
});
