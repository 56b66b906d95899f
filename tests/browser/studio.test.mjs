// What the Studio promises a broadcaster beyond going live: sources are exchanged on air without a break, invitations are honoured.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

let server;
let closed;
let browser;
before(async () => {
  [server, closed, browser] = await Promise.all([Server.start('studio'), Server.start('studio-closed', []), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await Promise.all([server?.remove(), closed?.remove()]);
});
const scenario = scenarios(() => ({ server, browser }));

/** Keeps every heading that the player lays over the picture. */
const KEEP_CURTAINS = `{
  globalThis.curtains = [];
  new MutationObserver(() => {
    const title = document.querySelector('.curtain h2')?.textContent;
    if (title && globalThis.curtains.at(-1) !== title) globalThis.curtains.push(title);
  }).observe(document, { subtree: true, childList: true, characterData: true });
}`;

/** Width over height of the frames that arrive. */
const shape = async (viewer) => {
  const { width, height } = await viewer.look();
  return Math.round((width / height) * 100) / 100;
};

scenario('camera, screen and back are exchanged on air, and viewers see each without a break', async (stage) => {
  const studio = await stage.broadcast('Two sources', { width: 640, height: 360, rate: 30, screen: { width: 960, height: 720 } });
  const viewer = await stage.watch(studio.slug, { scripts: [KEEP_CURTAINS] });
  await viewer.moves();
  assert.equal(await shape(viewer), 1.78);
  await viewer.page.evaluate(() => { globalThis.curtains.length = 0; });
  const connections = () => viewer.page.evaluate(() => globalThis.connections.length);
  const before = await connections();

  await studio.page.getByRole('button', { name: 'Share screen' }).click();
  await until('the screen at the viewer', async () => (await shape(viewer)) === 1.33);
  await viewer.moves();
  // The full size of the new source arrives too, though the one before it had fewer sizes.
  await viewer.showsWidth(960, { within: 40_000 });
  const sizes = studio.page.locator('summary', { hasText: 'Sizes on air' });
  await until('three sizes of the screen', async () => (await sizes.innerText()).includes('720p · 360p · 180p'));

  await studio.page.getByRole('button', { name: 'Use camera' }).click();
  await until('the camera at the viewer', async () => (await shape(viewer)) === 1.78);
  await viewer.showsWidth(640);
  await viewer.moves();

  assert.deepEqual(await viewer.page.evaluate(() => globalThis.curtains), []);
  assert.equal(await connections(), before);
  const sound = await viewer.inbound('audio');
  await until('sound to go on', async () => (await viewer.inbound('audio')).packetsReceived > sound.packetsReceived + 50);
});

scenario('a screen goes on when the camera does not open', async (stage) => {
  const studio = await stage.broadcast('Camera gone');
  await studio.page.getByRole('button', { name: 'Share screen' }).click();
  const viewer = await stage.watch(studio.slug);
  await until('the screen at the viewer', async () => (await shape(viewer)) === 1.33);
  await studio.page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('taken', 'NotReadableError'));
  });
  await studio.page.getByRole('button', { name: 'Use camera' }).click();
  await studio.page.getByText('Your camera is in use').waitFor();
  await viewer.moves();
  assert.equal(await shape(viewer), 1.33);
});

scenario('an invitation opens the studio of a server where publishing is closed, and stays out of sight', async (stage) => {
  const token = await closed.token('--publish', '--view', '--name', 'Camera 1');
  const studio = await stage.studio({}, { server: closed, path: `/studio?token=${token}` });
  await studio.page.getByText('The server is ready for you').waitFor();
  assert.equal(new URL(studio.page.url()).search, '');
  await studio.goLive('By invitation');
  const viewer = await stage.watch(studio.slug, { server: closed });
  await viewer.moves();
});

scenario('an invitation to one broadcast leads onto that one, reload and all', async (stage) => {
  const token = await closed.token('--publish', '--view', '--broadcast', 'cup-final');
  const studio = await stage.studio({}, { server: closed, path: `/studio?token=${token}` });
  await studio.page.getByText('The server is ready for you').waitFor();
  await studio.goLive('Cup final');
  assert.equal(studio.slug, 'cup-final');
  const viewer = await stage.watch('cup-final', { server: closed });
  await viewer.moves();
  await studio.page.reload();
  await studio.isLive();
  await viewer.moves();
  // Whoever else has the invitation is led to the same match, and takes over from themselves.
  const second = await stage.studio({}, { server: closed, path: `/studio?token=${token}` });
  await until('the title of the match', async () => (await second.page.getByLabel('Title').inputValue()) === 'Cup final');
  await second.goLive('Cup final, second camera');
  assert.deepEqual([second.slug, second.id], ['cup-final', studio.id]);
  await viewer.moves();
});

scenario('an invitation that has run out says so', async (stage) => {
  const token = await closed.token('--publish', '--ttl', '1s');
  const asked = await stage.page(null, { server: closed });
  await until('the invitation to run out', async () => {
    await asked.goto(`/studio?token=${token}`);
    await asked.getByText('This invite has run out').waitFor({ timeout: 1_500 });
    return true;
  });
  assert.equal(await asked.getByRole('main').getByRole('button', { name: 'Go live' }).isDisabled(), true);
  await asked.screenshot({ path: `${stage.out}/studio-invitation-over.png` });
});

scenario('an identity that the server no longer knows is dropped, and the page goes on as a guest', async (stage) => {
  const stale = `localStorage.setItem('courtside.identity', 'e30.e30.c3RhbGU');`;
  const page = await stage.page('/studio', { scripts: [`if (!localStorage.getItem('courtside.identity')) ${stale}`] });
  await page.getByText('The server is ready for you').waitFor();
});
