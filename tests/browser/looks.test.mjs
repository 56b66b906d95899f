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
