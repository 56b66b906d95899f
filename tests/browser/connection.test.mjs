// A page has one connection: the match, its chat, friends, messages and rings come over it, from place to place and from person to person. Only
// beside a broadcast that goes on air from the same page is there a second one.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { befriend, CallPage } from './support/call.mjs';
import { Chat } from './support/chat.mjs';
import { launchChromium } from './support/chromium.mjs';
import { WatchPage } from './support/places.mjs';
import { scenarios, SOCKETS } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([Server.start('connection', ['--open-publish', '--hls=false']), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

const MATCH = { codec: 'H264', width: 640, height: 360, rate: 30 };
/** Of what is pushed about friends. */
const PUSHES = ['presence', 'friend_changed', 'private_message', 'messages_read', 'call_ring', 'call_ring_over'];

/** How many connections the page has made, and how many of them are not closed. */
const count = (page) => page.evaluate(() => ({
  made: globalThis.sockets.length,
  open: globalThis.sockets.filter(({ socket }) => socket.readyState <= WebSocket.OPEN).length,
}));
const heard = (page, types) => page.evaluate((wanted) => globalThis.sockets.flatMap((socket) => socket.heard).filter((type) => wanted.includes(type)).length, types);
const isOpen = (page, open) => until(`${open} open connections`, async () => (await count(page)).open === open);
const viewers = async (slug, wanted) => until(`${wanted} to watch ${slug}`, async () => (await server.broadcast(slug)).viewers === wanted);

const member = (stage, name, slug, colour) => CallPage.withAccount(stage, name, slug, colour, { scripts: [...CallPage.cameraOf(colour), SOCKETS] });
const home = (page) => page.getByRole('banner').getByRole('link', { name: 'Courtside' }).first().click();

/** The friends of whoever watches, over the match. */
async function panelOf(page) {
  await page.getByRole('button', { name: /^Friends/ }).first().click();
  return page.getByRole('dialog', { name: 'Friends' });
}

async function writeFrom(page, name, text) {
  const panel = await panelOf(page);
  await panel.getByRole('tab', { name: /^All/ }).click();
  await panel.getByRole('button', { name: new RegExp(`^${name}`) }).click();
  await panel.getByRole('textbox', { name: /^Message to/ }).fill(text);
  const [answer] = await Promise.all([page.waitForResponse((response) => response.url().includes('/messages/') && response.request().method() === 'POST'), page.keyboard.press('Enter')]);
  await page.keyboard.press('Escape');
  return answer.ok();
}

async function ringFrom(friend, name) {
  await friend.wake();
  await friend.button('Watch with friends').first().click();
  const dialog = friend.page.getByRole('dialog', { name: 'Watch with friends' });
  await dialog.getByRole('checkbox', { name: new RegExp(name) }).check();
  await dialog.getByRole('button', { name: 'Call 1 friend' }).click();
  await friend.inCall();
}

scenario('match, friends, messages and rings come over one connection, and none of it after signing out', async (stage) => {
  const studio = await stage.broadcast('One wire', MATCH);
  const noor = await member(stage, 'Noor', studio.slug, 'red');
  const kofi = await member(stage, 'Kofi', studio.slug, 'blue');
  await befriend(server, studio.slug, 'Noor', 'Kofi');
  const { page } = noor;
  await page.reload();
  await noor.watch.moves();
  await kofi.page.goto('/friends');
  await kofi.page.getByRole('button', { name: /^Noor/ }).first().waitFor();

  // Presence: Kofi comes to the match, and is seen there without anything being asked.
  const panel = await panelOf(page);
  await panel.getByRole('tab', { name: /^All/ }).click();
  await panel.getByRole('button', { name: /^Kofi Online/ }).waitFor();
  await kofi.page.goto(`/watch/${studio.slug}`);
  await panel.getByRole('button', { name: /^Kofi Watching One wire/ }).waitFor();
  await kofi.watch.moves();
  assert.ok(await heard(page, ['presence']) > 0);
  await page.keyboard.press('Escape');

  assert.ok(await writeFrom(kofi.page, 'Noor', 'Are you there?'));
  await page.getByRole('button', { name: 'Friends, 1 new' }).waitFor();
  await ringFrom(kofi, 'Noor');
  const ring = page.getByRole('region', { name: /Kofi wants to watch with you/ });
  await ring.getByRole('button', { name: 'Not now' }).click();
  await ring.waitFor({ state: 'detached' });
  await kofi.leave();
  await noor.watch.moves();
  assert.deepEqual(await count(page), { made: 1, open: 1 });
  await viewers(studio.slug, 2);

  // Out: the match goes on for a guest, over one connection, and no friend gets through.
  await noor.watch.timeStills();
  await page.getByRole('button', { name: 'Account of Noor' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('banner').getByRole('button', { name: 'Sign in' }).waitFor();
  await isOpen(page, 1);
  const before = await heard(page, PUSHES);
  assert.ok(await writeFrom(kofi.page, 'Noor', 'And now?'));
  await ringFrom(kofi, 'Noor');
  await kofi.leave();
  // What is said to everybody afterwards still comes.
  await new Chat(kofi.page).says('goodbye all');
  await new Chat(page).reads('goodbye all');
  assert.equal(await heard(page, PUSHES), before);
  assert.equal(await ring.count(), 0);
  await noor.watch.moves();
  const { longest, same } = await noor.watch.stood();
  assert.ok(same && longest < 1_500, `the picture stood still for ${longest} ms`);
  assert.deepEqual(await count(page), { made: 2, open: 1 });

  // In again: the same person, who has missed nothing.
  await page.getByRole('banner').getByRole('button', { name: 'Sign in' }).click();
  const door = page.getByRole('dialog');
  await door.getByLabel('Email').fill(`noor.${studio.slug}@example.org`);
  await door.getByLabel('Password', { exact: true }).fill('correct horse battery');
  await door.getByRole('tabpanel').getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Friends, 1 new' }).waitFor();
  await ringFrom(kofi, 'Noor');
  await ring.waitFor();
  assert.deepEqual(await count(page), { made: 3, open: 1 });
}, { timeout: 150_000 });

scenario('it is kept from match to match; who leaves one is counted there no longer, and two tabs are one person', async (stage) => {
  const first = await stage.broadcast('First wire', MATCH);
  const second = await stage.broadcast('Second wire', MATCH);
  const noor = await member(stage, 'Maja', first.slug, 'red');
  const kofi = await member(stage, 'Devon', first.slug, 'blue');
  await befriend(server, first.slug, 'Maja', 'Devon');
  await kofi.page.goto('/friends');
  await kofi.page.getByRole('tab', { name: /^All/ }).click();
  const at = (title) => kofi.page.getByRole('button', { name: `Maja Watching ${title}` });
  await at('First wire').waitFor();
  const { page } = noor;
  await viewers(first.slug, 1);
  const { made } = await count(page);

  await home(page);
  const featured = page.getByRole('region', { name: 'Featured match' });
  await featured.waitFor();
  await viewers(first.slug, 0);
  await new WatchPage(page).moves();
  await kofi.page.getByRole('button', { name: /^Maja Online/ }).first().waitFor();
  await page.getByRole('main').getByRole('link', { name: /Second wire|Watch live/ }).first().click();
  await page.waitForURL(/\/watch\//);
  await noor.watch.moves();
  const [here, other] = new URL(page.url()).pathname.endsWith(first.slug) ? [first, second] : [second, first];
  const titles = new Map([[first, 'First wire'], [second, 'Second wire']]);
  await viewers(here.slug, 1);
  await at(titles.get(here)).waitFor();
  await home(page);
  await page.getByRole('main').locator(`a[href="/watch/${other.slug}"]`).first().click();
  await noor.watch.moves();
  await viewers(other.slug, 1);
  await viewers(here.slug, 0);
  assert.deepEqual(await count(page), { made, open: 1 });

  // Another tab of the same person, at the same match, adds nobody, and takes nobody away when it goes.
  const tab = await page.context().newPage();
  await tab.goto(`/watch/${other.slug}`);
  await new WatchPage(tab).moves();
  assert.deepEqual(await count(tab), { made: 1, open: 1 });
  assert.equal((await server.broadcast(other.slug)).viewers, 1);
  await tab.close();
  await page.bringToFront();
  await noor.watch.moves();
  assert.equal((await server.broadcast(other.slug)).viewers, 1);
  assert.equal(await kofi.page.getByRole('button', { name: /^Maja/ }).count(), 1);
  await at(titles.get(other)).waitFor();

  // For nobody there is none.
  await page.getByRole('button', { name: 'Account of Maja' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('banner').getByRole('button', { name: 'Sign in' }).waitFor();
  await page.goto('/sign-up');
  await page.getByRole('button', { name: 'Create account' }).waitFor();
  assert.deepEqual(await count(page), { made: 0, open: 0 });
}, { timeout: 150_000 });

scenario('what is on air keeps its connection: a guest on air is seen over it, another match and another person are beside it', async (stage) => {
  const studio = await stage.broadcast('On air', MATCH, { scripts: [SOCKETS] });
  const { page } = studio;
  assert.deepEqual(await count(page), { made: 1, open: 1 });
  const guest = await CallPage.byLink(stage, `/watch/${studio.slug}`, 'blue');
  await guest.watch.moves();
  const desk = page.getByRole('region', { name: 'Guests' });
  await guest.wake();
  await guest.button('Quality and settings').click();
  await guest.page.getByRole('menuitemcheckbox', { name: 'Raise your hand' }).click();
  await desk.getByRole('button', { name: /^Invite .* on air/ }).click();
  await guest.page.getByRole('dialog', { name: 'Come on air?' }).getByRole('button', { name: 'Go on air' }).click();
  const shown = desk.locator('video');
  await until('the guest to be seen in the Studio', () => shown.evaluate((video) => video.videoWidth > 0 && video.currentTime > 0));
  assert.deepEqual(await count(page), { made: 1, open: 1 });
  await desk.getByRole('button', { name: /^Take .* off air/ }).click();
  await shown.waitFor({ state: 'detached' });
  await studio.isLive();
  await guest.watch.moves();

  // Somebody signs in meanwhile: nothing of what is on air is disturbed, and their friends come over another connection.
  await page.getByRole('banner').getByRole('button', { name: 'Sign in' }).click();
  const door = page.getByRole('dialog');
  await door.getByRole('tab', { name: 'New here' }).click();
  await door.getByLabel('Name').fill('Ines');
  await door.getByLabel('Email').fill('ines.on-air@example.org');
  await door.getByLabel('Password', { exact: true }).fill('correct horse battery');
  await door.getByRole('button', { name: 'Create account' }).click();
  await page.getByRole('button', { name: 'Account of Ines' }).waitFor();
  await until('a second connection', async () => (await count(page)).made === 2);
  await guest.watch.moves();
  assert.deepEqual(await count(page), { made: 2, open: 2 });

  // The front page shows a match meanwhile, over the one that does not carry what is on air.
  await home(page);
  await page.getByRole('region', { name: 'Featured match' }).waitFor();
  await new WatchPage(page).moves();
  await guest.watch.moves();
  assert.deepEqual(await count(page), { made: 2, open: 2 });
  await page.goBack();
  await studio.isLive();
  await studio.end();
  await isOpen(page, 1);
}, { timeout: 120_000 });
