// Friends with real pages: found, asked, accepted, joined at their match, written to; hidden, removed and blocked.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([Server.start('friends'), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

/** Somebody with an account, on the friends' page. */
async function member(stage, name) {
  const page = await stage.page('/sign-up?next=/friends');
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Email').fill(`${name.toLowerCase()}@example.org`);
  await page.getByLabel('Password', { exact: true }).fill('correct horse battery');
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByRole('heading', { name: 'Friends' }).waitFor();
  return page;
}

const tab = (page, name) => page.getByRole('tab', { name: new RegExp(`^${name}`) });
const button = (page, name) => page.getByRole('button', { name, exact: true });

async function befriend(a, aName, b, bName) {
  await a.getByRole('searchbox', { name: 'Find people' }).fill(bName.slice(0, 3).toLowerCase());
  await button(a, `Add ${bName}`).click();
  await button(a, `Withdraw ${bName}`).waitFor();
  await a.keyboard.press('Escape');
  await a.getByRole('searchbox', { name: 'Find people' }).fill('');
  await tab(b, 'Requests').click();
  await button(b, `Accept ${aName}`).click();
  await tab(b, 'All').click();
  await b.getByRole('button', { name: new RegExp(`^${aName}`) }).waitFor();
}

async function write(page, text) {
  await page.getByRole('textbox', { name: /^Message to/ }).fill(text);
  await page.keyboard.press('Enter');
}

scenario('two people find each other, write, and one joins the other at a match', async (stage) => {
  const [noor, kofi] = [await member(stage, 'Noor'), await member(stage, 'Kofi')];
  await noor.getByText('Nobody here yet').waitFor();
  await befriend(noor, 'Noor', kofi, 'Kofi');

  // Kofi watches; Noor sees it without doing anything and is there with one click.
  const studio = await stage.broadcast('Cup final');
  await kofi.goto(`/watch/${studio.slug}`);
  await tab(noor, 'Watching').click();
  await noor.getByRole('heading', { name: 'Cup final' }).waitFor();
  await noor.getByRole('button', { name: /^Kofi/ }).click();
  await write(noor, 'Goal! <b>Look</b> at https://example.org/a.');
  const noorsLog = noor.getByRole('log', { name: 'Messages with Kofi' });
  await noorsLog.getByText('Goal! <b>Look</b> at').waitFor();
  assert.equal(await noorsLog.getByRole('link').getAttribute('href'), 'https://example.org/a');

  // Over the match: the panel, with its count, and the message in it.
  await kofi.getByRole('button', { name: 'Friends, 1 new' }).click();
  const panel = kofi.getByRole('dialog', { name: 'Friends' });
  await panel.getByRole('tab', { name: /^Messages/ }).click();
  await panel.getByRole('button', { name: /^Noor.*1 unread/ }).click();
  await panel.getByRole('log').getByText('Goal!').waitFor();
  await write(kofi, 'On my way');
  await noorsLog.getByText('On my way').waitFor();
  await noorsLog.getByText('Seen').waitFor();
  await kofi.keyboard.press('Escape');
  await button(kofi, 'Friends').waitFor();

  // The front page says it, too.
  await noor.goto('/');
  await noor.getByRole('region', { name: 'Friends watching' }).getByRole('link', { name: 'Watch Cup final with Kofi' }).click();
  await noor.getByRole('heading', { name: 'Cup final' }).waitFor();
  await until('both to be counted', async () => (await stage.server.broadcast(studio.slug)).viewers === 2);
  assert.match(noor.url(), new RegExp(`/watch/${studio.slug}$`));
});

scenario('history, hiding, removing and blocking', async (stage) => {
  const [maja, dev] = [await member(stage, 'Maja'), await member(stage, 'Devon')];
  await befriend(maja, 'Maja', dev, 'Devon');
  await maja.getByRole('button', { name: /^Devon/ }).click();
  await dev.getByRole('button', { name: /^Maja/ }).click();
  for (let line = 1; line <= 12; line++) {
    await write(maja, `line ${line}`);
    await dev.getByRole('log').getByText(`line ${line}`, { exact: true }).waitFor();
  }
  await maja.reload();
  await maja.getByRole('log').getByText('line 12', { exact: true }).waitFor();

  const studio = await stage.broadcast('Quiet match');
  const settings = await dev.context().newPage();
  await settings.goto('/account');
  const hide = settings.getByRole('switch', { name: /^Hide what I watch/ });
  await Promise.all([settings.waitForResponse((response) => response.request().method() === 'PATCH' && response.ok()), hide.check()]);
  await settings.reload();
  await hide.waitFor();
  assert.equal(await hide.isChecked(), true, 'it is kept');
  await settings.goto(`/watch/${studio.slug}`);
  await maja.goto('/friends');
  await tab(maja, 'All').click();
  await maja.getByRole('button', { name: /^Devon Online/ }).waitFor();
  assert.equal(await maja.getByRole('link', { name: /^Watch Quiet match/ }).count(), 0);
  await settings.close();

  await maja.getByRole('button', { name: /^Devon/ }).click();
  await button(maja, 'More about Devon').click();
  await maja.getByRole('menuitem', { name: 'Remove friend' }).click();
  await maja.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await maja.getByText('You can write to each other once you’re friends.').waitFor();
  await dev.getByText('You can write to each other once you’re friends.').waitFor();
  await maja.getByRole('log').getByText('line 12', { exact: true }).waitFor();

  await button(dev, 'More about Maja').click();
  await dev.getByRole('menuitem', { name: 'Block' }).click();
  await dev.getByRole('dialog').getByRole('button', { name: 'Block' }).click();
  await dev.getByText('You can’t write to someone you’ve blocked.').waitFor();
  await maja.getByRole('searchbox', { name: 'Find people' }).fill('devon');
  await maja.getByText('Nobody here is called “devon…”.').waitFor();
  await dev.goto('/account');
  await button(dev, 'Unblock Maja').click();
  await dev.getByText('You haven’t blocked anyone.').waitFor();
  await maja.getByRole('searchbox', { name: 'Find people' }).fill('devo');
  await button(maja, 'Add Devon').waitFor();
});

scenario('a guest is told what friends are for, and comes in from there', async (stage) => {
  const page = await stage.page('/friends');
  await page.getByRole('heading', { name: 'Matches are better with friends' }).waitFor();
  await page.getByRole('main').getByRole('button', { name: 'Create account' }).click();
  const door = page.getByRole('dialog');
  await door.getByLabel('Name').fill('Newcomer');
  await door.getByLabel('Email').fill('newcomer@example.org');
  await door.getByLabel('Password', { exact: true }).fill('correct horse battery');
  await door.getByRole('button', { name: 'Create account' }).click();
  await page.getByText('Nobody here yet').waitFor();
});
