// Every place in both themes: no serious or critical finding of axe, no sideways scrolling, and a screenshot at three widths to look at.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before } from 'node:test';
import { Chat } from './support/chat.mjs';
import { launchChromium } from './support/chromium.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { WatchPage } from './support/places.mjs';
import { until } from './support/until.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SIZES = [{ width: 1440, height: 900 }, { width: 768, height: 1024 }, { width: 390, height: 844 }];

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([Server.start('looks'), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

async function findings(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 160)} [${failureSummary?.split('\n')[1]?.trim() ?? ''}]`).join(' | ')}`);
}

/** Fonts are there and what changes colour or place has arrived. What never ends (the picture, spinners) is not waited for. */
async function still(page) {
  await page.evaluate(async () => {
    await document.fonts.ready;
    const passing = document.getAnimations().filter((animation) => Number.isFinite(animation.effect?.getComputedTiming().endTime));
    // A transition that is overtaken by another one rejects; the other one is waited for as well.
    await Promise.allSettled(passing.map((animation) => animation.finished));
  });
}

/** In both themes and at all sizes. `settle` waits until what is on the page is complete at the new size. */
async function inspect(stage, page, name, settle = async () => undefined) {
  const found = [];
  for (const theme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme: theme });
    for (const size of SIZES) {
      await page.setViewportSize(size);
      await settle();
      await still(page);
      await page.screenshot({ path: `${stage.out}/${name}-${theme}-${size.width}.png` });
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (overflow > 0) found.push(`${theme} ${size.width}: ${overflow} pixels wider than the window`);
      // Phones have sheets and a tab bar of their own; the middle size repeats one of the two.
      if (size.width !== 768) found.push(...(await findings(page)).map((finding) => `${theme} ${size.width}: ${finding}`));
    }
  }
  assert.deepEqual(found, [], name);
}

scenario('home holds its form', async (stage) => {
  const studio = await stage.broadcast('Northgate – Harbour');
  await until('a poster', async () => (await stage.server.broadcast(studio.slug)).poster_version !== undefined);
  const page = await stage.page('/');
  await page.getByRole('region', { name: 'Featured match' }).waitFor();
  await new WatchPage(page).moves();
  await inspect(stage, page, 'home');
});

scenario('watch holds its form, with and without its menu and statistics', async (stage) => {
  const studio = await stage.broadcast('Northgate – Harbour', { width: 1280, height: 720, rate: 15 });
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  const stir = () => viewer.page.mouse.move(200 + Math.random() * 100, 200);
  await inspect(stage, viewer.page, 'watch', stir);
  await viewer.page.setViewportSize(SIZES[0]);
  await viewer.page.keyboard.press('i');
  await viewer.player.getByRole('region', { name: 'Stream stats' }).waitFor();
  await inspect(stage, viewer.page, 'watch-stats', stir);
});

/** A match with its owner and a viewer, in whose chat something of each kind has been said. */
async function talk(stage) {
  const studio = await stage.broadcast('Northgate – Harbour', { width: 640, height: 360, rate: 10 });
  const owner = new Chat((await stage.watch(studio.slug, { query: `?token=${(await studio.own()).token}` })).page);
  const viewer = await stage.watch(studio.slug);
  const chat = new Chat(viewer.page);
  await viewer.moves();
  await owner.says('Second-half poll at https://example.org/poll. Keep it kind.');
  await owner.act('Second-half poll', 'Pin for everyone');
  await chat.says('their left back has been on a yellow since the 34th minute, so run at him');
  await chat.says('🔥🔥');
  await owner.act('their left back', 'Reply');
  await owner.says('level, good call ⚽');
  await chat.reads('level, good call');
  return { studio, owner, viewer, chat };
}

scenario('the chat holds its form, with all that is said in it and after its end', async (stage) => {
  const { studio, viewer, chat } = await talk(stage);
  await chat.say('see https://elsewhere.example');
  await chat.page.getByRole('button', { name: 'Send again' }).waitFor();
  await inspect(stage, viewer.page, 'chat', () => viewer.page.mouse.move(200 + Math.random() * 100, 200));
  await studio.end();
  await chat.panel.getByText('The match is over').waitFor();
  await inspect(stage, viewer.page, 'chat-ended');
});

scenario('the menus of the chat hold their form', async (stage) => {
  const { owner } = await talk(stage);
  const look = async (name, size) => {
    await still(owner.page);
    await owner.page.screenshot({ path: `${stage.out}/${name}-${size.width}.png` });
    assert.deepEqual(await findings(owner.page), []);
    await owner.page.keyboard.press('Escape');
  };
  for (const size of SIZES) {
    await owner.page.setViewportSize(size);
    await owner.line('their left back').first().locator('.who').click();
    await owner.page.getByRole('menuitem', { name: 'Ban from this chat' }).waitFor();
    await look('chat-person', size);
    await owner.panel.getByRole('button', { name: 'Chat options' }).click();
    await owner.page.getByRole('menuitemcheckbox').waitFor();
    await look('chat-options', size);
    await owner.panel.getByRole('button', { name: 'Emoji', exact: true }).click();
    await owner.page.getByRole('dialog', { name: 'Emoji' }).waitFor();
    await look('chat-emoji', size);
  }
});

scenario('the quality menu holds its form', async (stage) => {
  const studio = await stage.broadcast('Northgate – Harbour');
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  for (const size of SIZES) {
    await viewer.page.setViewportSize(size);
    await viewer.page.mouse.move(200, 150);
    await viewer.player.getByRole('button', { name: 'Quality and settings' }).click();
    await viewer.page.getByRole('menuitemradio', { name: 'Auto' }).waitFor();
    await viewer.page.screenshot({ path: `${stage.out}/watch-menu-${size.width}.png` });
    assert.deepEqual(await findings(viewer.page), []);
    await viewer.page.keyboard.press('Escape');
    await viewer.page.getByRole('menuitemradio', { name: 'Auto' }).waitFor({ state: 'detached' });
  }
});

scenario('the studio holds its form before and while on air', async (stage) => {
  const studio = await stage.studio({ width: 1280, height: 720, rate: 15 });
  await studio.page.getByText('The server is ready for you').waitFor();
  await inspect(stage, studio.page, 'studio-setup');
  await studio.goLive('Northgate – Harbour');
  await studio.page.getByRole('group', { name: 'Your stream' }).filter({ hasText: /bps/ }).waitFor();
  await inspect(stage, studio.page, 'studio-on-air');
});

scenario('the states without a picture hold their form', async (stage) => {
  const lost = await stage.watch('no-such-match');
  await lost.says('No match at this address');
  await inspect(stage, lost.page, 'watch-not-found');
  const studio = await stage.broadcast('Over');
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  await studio.end();
  await viewer.says('That’s it for this match');
  await inspect(stage, viewer.page, 'watch-ended');
});

/** Somebody with an account, at `path`. */
async function member(stage, name, path) {
  const page = await stage.page(`/sign-up?next=${path}`);
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Email').fill(`${name.toLowerCase().replace(/[^a-z]/g, '')}@example.org`);
  await page.getByLabel('Password', { exact: true }).fill('correct horse battery');
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByRole('button', { name: `Account of ${name}` }).waitFor();
  return page;
}

scenario('the door holds its form, over a match and as pages', async (stage) => {
  const studio = await stage.broadcast('Northgate – Harbour');
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  await viewer.page.getByRole('button', { name: 'Sign in' }).click();
  const door = viewer.page.getByRole('dialog');
  await door.getByLabel('Email').fill('kofi.asante@harbour.example');
  await door.getByLabel('Password', { exact: true }).fill('not the one');
  await door.getByRole('tabpanel').getByRole('button', { name: 'Sign in' }).click();
  await door.getByText('That password doesn’t match this email.').waitFor();
  await inspect(stage, viewer.page, 'door-wrong');
  await viewer.page.setViewportSize(SIZES[0]);
  await door.getByRole('tab', { name: 'New here' }).click();
  await inspect(stage, viewer.page, 'door-new');

  const page = await stage.page('/sign-in');
  await page.getByRole('button', { name: 'Forgot your password?' }).click();
  await inspect(stage, page, 'forgot');
  await page.getByLabel('Email').fill('kofi.asante@harbour.example');
  await page.getByRole('button', { name: 'Send link' }).click();
  await page.getByRole('heading', { name: 'Check your mail' }).waitFor();
  await inspect(stage, page, 'forgot-sent');
  await page.goto('/account/reset#something');
  await inspect(stage, page, 'reset');
  await page.goto('/account/verify#something');
  await page.getByRole('heading', { name: 'This link doesn’t work any more' }).waitFor();
  await inspect(stage, page, 'verify-failed');
});

scenario('the settings hold their form', async (stage) => {
  const page = await member(stage, 'Kofi Asante', '/account');
  await page.getByText('This device').waitFor();
  await inspect(stage, page, 'settings');
  await page.setViewportSize({ width: 1440, height: 2200 });
  await page.screenshot({ path: `${stage.out}/settings-whole-1440.png` });
  await page.setViewportSize({ width: 390, height: 3000 });
  await page.screenshot({ path: `${stage.out}/settings-whole-390.png` });
  await page.setViewportSize(SIZES[0]);
  await page.getByRole('button', { name: 'Make a key' }).click();
  await page.getByText('This is the only time that you see it.').waitFor();
  await page.getByRole('button', { name: 'Change password' }).click();
  await page.getByRole('button', { name: 'Save password' }).click();
  await page.getByText('Your password goes here.').waitFor();
  await inspect(stage, page, 'settings-forms');
  await page.setViewportSize(SIZES[0]);
  await page.getByRole('button', { name: 'Delete account' }).click();
  await inspect(stage, page, 'settings-delete');
  await page.keyboard.press('Escape');
  await page.setViewportSize(SIZES[0]);
  await page.getByLabel('Choose picture').evaluate(async (input) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 600, height: 400 });
    const context = canvas.getContext('2d');
    context.fillStyle = '#3b6';
    context.fillRect(0, 0, 600, 400);
    context.fillStyle = '#fb8';
    context.arc(300, 180, 90, 0, 7);
    context.fill();
    const files = new DataTransfer();
    files.items.add(new File([await new Promise((resolve) => canvas.toBlob(resolve))], 'me.png', { type: 'image/png' }));
    input.files = files.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
  });
  await page.getByRole('heading', { name: 'Which part is you?' }).waitFor();
  await inspect(stage, page, 'settings-picture');
  await page.keyboard.press('Escape');
  await page.setViewportSize(SIZES[0]);
  await page.getByRole('button', { name: 'Account of Kofi Asante' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).waitFor();
  await still(page);
  await page.screenshot({ path: `${stage.out}/account-menu-1440.png` });
});

/** `page`, of `name`, asks `friend`, who accepts unless she is to think about it. */
async function befriend(page, name, friend, friendName, { accept = true } = {}) {
  await page.getByRole('searchbox').fill(friendName);
  await page.getByRole('button', { name: `Add ${friendName}` }).click();
  await friend.getByRole('tab', { name: /^Requests/ }).click();
  const answer = friend.getByRole('button', { name: `Accept ${name}` });
  await (accept ? answer.click() : answer.waitFor());
}

scenario('friends hold their form: nobody, requests, and who watches', async (stage) => {
  const noor = await member(stage, 'Noor Haddad', '/friends');
  await noor.getByText('Nobody here yet').waitFor();
  await inspect(stage, noor, 'friends-none');
  await noor.setViewportSize(SIZES[0]);
  const [tomas, lena] = [await member(stage, 'Tomás Vidal', '/friends'), await member(stage, 'Lena Kowalczyk-Brandenburger', '/friends')];
  await befriend(tomas, 'Tomás Vidal', noor, 'Noor Haddad');
  await befriend(lena, 'Lena Kowalczyk-Brandenburger', noor, 'Noor Haddad', { accept: false });
  await inspect(stage, noor, 'friends-requests');
  const studio = await stage.broadcast('Northgate – Harbour');
  await tomas.goto(`/watch/${studio.slug}`);
  await noor.setViewportSize(SIZES[0]);
  await noor.getByRole('tab', { name: /^Watching/ }).click();
  await noor.getByRole('link', { name: /^Watch .* with Tomás/ }).waitFor();
  await inspect(stage, noor, 'friends-watching');
  await noor.goto('/');
  await noor.getByRole('region', { name: 'Friends watching' }).waitFor();
  await inspect(stage, noor, 'home-friends');
});

scenario('what friends write holds its form, on the page and over the match', async (stage) => {
  const [maja, ines] = [await member(stage, 'Maja Lind', '/friends'), await member(stage, 'Inês Duarte', '/friends')];
  await befriend(ines, 'Inês Duarte', maja, 'Maja Lind');
  const studio = await stage.broadcast('Northgate – Harbour');
  await ines.goto(`/watch/${studio.slug}`);
  await maja.getByRole('tab', { name: /^All/ }).click();
  await maja.getByRole('button', { name: /^Inês/ }).click();
  const write = async (page, text) => {
    await page.getByRole('textbox', { name: /^Message to/ }).fill(text);
    await page.keyboard.press('Enter');
  };
  await write(maja, 'Are you at the derby?');
  await maja.getByText('Are you at the derby?').waitFor();
  await ines.getByRole('button', { name: /^Friends/ }).click();
  await ines.getByRole('tab', { name: /^Messages/ }).click();
  await ines.getByRole('button', { name: /^Maja/ }).click();
  for (const text of ['Second half, yes', 'Best seat I’ve had all year. The keeper is having the match of his life, come over before it’s done', `${stage.server.url}/watch/${studio.slug}`]) await write(ines, text);
  await maja.getByText('Best seat').waitFor();
  await write(maja, 'Coming');
  await ines.getByRole('log').getByText('Coming').waitFor();
  await inspect(stage, maja, 'friends-talk');
  await inspect(stage, ines, 'friends-panel-talk');
  await ines.setViewportSize(SIZES[0]);
  await ines.getByRole('button', { name: 'Back to friends' }).click();
  await inspect(stage, ines, 'friends-panel');
});
