// Friends' calls over a match, with real pages, each with a camera of its own colour: begun mid-stream, joined by link, muted, left, cut off and back,
// out of step and in, rewound together, and a guest on air.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { befriend, CallPage } from './support/call.mjs';
import { launchChromium } from './support/chromium.mjs';
import { recorded } from './support/recorded.mjs';
import { Relay } from './support/relay.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { betweenPageAndServer } from './support/signaling.mjs';
import { until } from './support/until.mjs';

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([Server.start('calls', ['--open-publish', '--dvr']), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

const MATCH = { codec: 'H264', width: 640, height: 360, rate: 30 };

const face = async (page, member) => (await page.faces()).find((found) => found.member === member);
const others = async (page) => (await page.faces()).filter(({ label }) => !label.startsWith('You'));

scenario('a call begins mid-stream, others come by its link, and everybody sees and hears everybody', async (stage) => {
  const studio = await stage.broadcast('Together', MATCH);
  const noor = await CallPage.withAccount(stage, 'Noor', studio.slug, 'red');
  await noor.begin();
  const link = await noor.link();
  const kofi = await CallPage.byLink(stage, link, 'blue');
  await kofi.enter();
  await Promise.all([noor.sees('blue'), kofi.sees('red')]);
  await Promise.all([noor.speak(true), kofi.speak(true)]);
  await Promise.all([noor.hearsSomebody(), kofi.hearsSomebody()]);
  // Both pictures and both voices travel on the connection that brings the match.
  assert.equal(await kofi.page.evaluate(() => globalThis.connections.filter(({ connectionState }) => connectionState === 'connected').length), 1);
  await noor.watch.moves();

  // A microphone that is off is shown to everybody, and nothing of it is heard.
  const [one] = await others(noor);
  await kofi.press('Mute microphone');
  await until('Kofi to be shown as muted', async () => (await face(noor, one.member)).label.includes('muted'));
  await until('silence', async () => {
    const before = (await noor.voices())[one.member];
    await noor.watch.moves({ steps: 10 });
    return (await noor.voices())[one.member] - before < 1e-6;
  });
  await kofi.press('Unmute microphone');
  await noor.hearsSomebody();

  await kofi.press('Turn camera off');
  await noor.lost('blue');
  await kofi.press('Turn camera on');
  await noor.sees('blue');

  await kofi.leave();
  await until('Noor to be alone', async () => (await noor.faces()).length === 1);
  await kofi.watch.moves();
  // And back, without another link.
  await noor.leave();
  await noor.watch.moves();
}, { timeout: 120_000 });

scenario('four friends see each other, write, and one whom the host removes does not come back', async (stage) => {
  const studio = await stage.broadcast('Four', MATCH);
  const noor = await CallPage.withAccount(stage, 'Four', studio.slug, 'red');
  await noor.begin();
  const link = await noor.link();
  const others = [];
  for (const colour of ['green', 'blue', 'yellow']) {
    const one = await CallPage.byLink(stage, link, colour);
    await one.enter();
    others.push(one);
  }
  const colours = ['red', 'green', 'blue', 'yellow'];
  await Promise.all([noor, ...others].flatMap((one) => colours.map((colour) => one.sees(colour, { within: 30_000 }))));

  // A word in the call's own lane, and a reaction over a face.
  const [green, blue] = others;
  await green.page.getByRole('tab', { name: /^Call/ }).click();
  await green.page.getByRole('textbox', { name: /call/i }).fill('offside!');
  await green.page.keyboard.press('Enter');
  await blue.page.getByRole('tab', { name: /^Call/ }).click();
  await blue.page.getByText('offside!').waitFor();

  // The host sends one out: the others no longer see them, and the link is void.
  const [yellow] = (await noor.faces()).filter(({ colour }) => colour === 'yellow');
  await noor.remove(yellow.member);
  await Promise.all([noor, green, blue].map((one) => one.lost('yellow')));
  await others[2].page.getByText('You’ve been removed from the call').first().waitFor();
  await others[2].watch.moves();
  await others[2].page.goto(link);
  await others[2].page.getByRole('dialog', { name: 'Join your friends' }).getByRole('button', { name: 'Join', exact: true }).click();
  await others[2].page.getByRole('alert').first().waitFor();
  assert.equal((await noor.faces()).length, 3);
}, { timeout: 150_000 });

scenario('friends are rung wherever they are, and one click brings them into the match and the call', async (stage) => {
  const studio = await stage.broadcast('Ringing', MATCH);
  const noor = await CallPage.withAccount(stage, 'Ada', studio.slug, 'red');
  const kofi = await CallPage.withAccount(stage, 'Bo Li', studio.slug, 'blue');
  await befriend(server, studio.slug, 'Ada', 'Bo Li');
  await kofi.page.goto('/friends');
  await kofi.page.getByRole('button', { name: /^Ada/ }).first().waitFor();
  await noor.wake();
  await noor.button('Watch with friends').first().click();
  const dialog = noor.page.getByRole('dialog', { name: 'Watch with friends' });
  await dialog.getByRole('checkbox', { name: /Bo Li/ }).check();
  await dialog.getByRole('button', { name: 'Call 1 friend' }).click();
  await noor.inCall();
  const ring = kofi.page.getByRole('region', { name: /Ada wants to watch with you/ });
  await ring.getByRole('button', { name: 'Join' }).click();
  await kofi.page.waitForURL(new RegExp(`/watch/${studio.slug}`));
  await kofi.enter();
  await Promise.all([noor.sees('blue'), kofi.sees('red')]);

  // Who does not want to is not asked again, and the other one is told.
  await kofi.leave();
  await kofi.page.goto('/friends');
  await noor.choose('Bring more friends');
  const more = noor.page.getByRole('dialog', { name: 'Bring more friends' });
  await more.getByRole('checkbox', { name: /Bo Li/ }).check();
  await more.getByRole('button', { name: 'Ring 1 friend' }).click();
  await ring.getByRole('button', { name: 'Not now' }).click();
  await ring.waitFor({ state: 'detached' });
}, { timeout: 120_000 });

scenario('a member whose network dies is shown as away and comes back by itself', async (stage) => {
  const studio = await stage.broadcast('Cut off', MATCH);
  const noor = await CallPage.withAccount(stage, 'Cleo', studio.slug, 'red');
  await noor.begin();
  const relay = await Relay.open();
  try {
    const page = await stage.page(null, { scripts: CallPage.cameraOf('blue') });
    await betweenPageAndServer(page, relay.redirect);
    const kofi = new CallPage(page);
    await page.goto(await noor.link());
    await kofi.enter();
    await Promise.all([noor.sees('blue'), kofi.sees('red')]);
    relay.let({ udp: false, tcp: false });
    const [{ member }] = await others(noor);
    await until('Kofi to be away', async () => (await face(noor, member)).label.includes('Reconnecting'), { within: 40_000 });
    relay.let({ udp: true, tcp: true });
    await until('Kofi to be back', async () => {
      const found = await face(noor, member);
      return found && !found.label.includes('Reconnecting') && found.colour === 'blue';
    }, { within: 30_000 });
    await kofi.sees('red');
    await kofi.watch.moves();
  } finally {
    relay.close();
  }
}, { timeout: 150_000 });

scenario('in step one member moves all, out of step nobody', async (stage) => {
  const studio = await stage.broadcast('In step', MATCH);
  const noor = await CallPage.withAccount(stage, 'Dina', studio.slug, 'red');
  await noor.begin();
  const kofi = await CallPage.byLink(stage, await noor.link(), 'blue');
  await kofi.enter();
  await kofi.sees('red');
  await recorded(server, studio.slug, 16);
  await noor.page.keyboard.press('j');
  await kofi.page.getByText(/Dina went back/).waitFor({ timeout: 15_000 });
  await Promise.all([noor, kofi].map((one) => until('a picture of the past', async () => (await one.watch.age()) > 8_000, { within: 20_000 })));
  await kofi.press(/go to the live edge/);
  await Promise.all([noor, kofi].map((one) => until('the live picture', async () => {
    const age = await one.watch.age();
    return age !== null && age < 3_000;
  }, { within: 20_000 })));

  await kofi.press('In step with friends');
  await until('Noor to see that Kofi is on their own', async () => (await others(noor))[0].label.includes('On their own'));
  await kofi.page.keyboard.press('j');
  await until('Kofi in the past', async () => (await kofi.watch.age()) > 8_000, { within: 20_000 });
  assert.ok((await noor.watch.age()) < 3_000, 'a member who is out of step moved another');
  await kofi.press('On your own');
  await until('Kofi back with the others', async () => {
    const age = await kofi.watch.age();
    return age !== null && age < 3_000;
  }, { within: 20_000 });
}, { timeout: 180_000 });

scenario('a viewer raises a hand, comes on air before everybody, and goes again', async (stage) => {
  const studio = await stage.broadcast('On air', MATCH);
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  const guest = await CallPage.withAccount(stage, 'Guest', studio.slug, 'blue');
  const desk = studio.page.getByRole('region', { name: 'Guests' });
  const figure = viewer.page.getByRole('figure', { name: /Guest, on air/ });
  // And once more: what was used for the first time is used again.
  for (const time of ['first', 'second']) {
    await guest.wake();
    await guest.button('Quality and settings').click();
    await guest.page.getByRole('menuitemcheckbox', { name: 'Raise your hand' }).click();
    await desk.getByRole('button', { name: 'Invite Guest on air' }).click();
    await guest.page.getByRole('dialog', { name: 'Come on air?' }).getByRole('button', { name: 'Go on air' }).click();
    await figure.waitFor();
    await until(`the guest to be seen, the ${time} time`, () => figure.locator('video').evaluate((video) => video.videoWidth > 0 && !video.paused));
    await guest.page.getByText('You are on air').waitFor();
    await viewer.moves();
    await desk.getByRole('button', { name: 'Take Guest off air' }).click();
    await figure.waitFor({ state: 'detached' });
    await guest.page.getByText('You are on air').waitFor({ state: 'detached' });
    await viewer.moves();
  }
}, { timeout: 120_000 });
