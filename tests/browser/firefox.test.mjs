// The other browser: publishes and watches VP8; Debian's has no H.264 for calls, so it also is the viewer that must be told so.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { firefoxPage, launchFirefox } from './support/firefox.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

let server;
let browser;
let firefox;
before(async () => {
  [server, browser, firefox] = await Promise.all([Server.start('firefox'), launchChromium(), launchFirefox()]);
});
after(async () => {
  await Promise.all([browser?.close(), firefox?.close()]);
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

const counterOf = (page) => page.evaluate(() => globalThis.barcode.read(document.querySelector('video')));

async function moves(page) {
  const seen = new Set();
  await until('the picture to move in Firefox', async () => {
    const counter = await counterOf(page);
    if (counter !== null) seen.add(counter);
    return seen.size > 5 ? true : void 0;
  }, { within: 20_000 });
}

const says = (page, text, within = 15_000) => until(`Firefox to say "${text}"`, () => page.evaluate((wanted) => document.body.innerText.includes(wanted), text), { within });

scenario('Firefox goes live through the studio and Chromium watches', async (stage) => {
  const page = await firefoxPage(firefox, { width: 640, height: 360, rate: 30 });
  try {
    await page.goto(`${stage.server.url}/studio`);
    // Not by the driver's locators: they evaluate text in the page, which our content security policy refuses.
    const title = await until('the form', () => page.$('aria/Title[role="textbox"]'));
    await title.type('From Firefox');
    await (await until('the way on air to be open', () => page.$('main button.go:not([disabled])'))).click();
    await says(page, 'LIVE');
    const { slug } = await page.evaluate(() => JSON.parse(sessionStorage.getItem('courtside.studio')));
    const viewer = await stage.watch(slug);
    await viewer.moves();
    assert.equal((await stage.server.broadcast(slug)).video_codec, 'vp8');
  } finally {
    await page.close();
  }
});

scenario('Firefox watches what it can decode', async (stage) => {
  const studio = await stage.broadcast('VP8 for everyone', { codec: 'VP8' });
  const page = await firefoxPage(firefox);
  try {
    await page.goto(`${stage.server.url}/watch/${studio.slug}`);
    await moves(page);
    const sound = await until('sound', () => page.evaluate(async () => {
      for (const connection of globalThis.connections) {
        for (const entry of (await connection.getStats()).values()) {
          if (entry.type === 'inbound-rtp' && entry.kind === 'audio' && entry.packetsReceived > 0) return entry.packetsReceived;
        }
      }
      return void 0;
    }));
    assert.ok(sound > 0);
  } finally {
    await page.close();
  }
});

scenario('Firefox is told when it cannot decode the broadcast', async (stage) => {
  const studio = await stage.broadcast('H.264 only');
  await until('the codec to be known', async () => (await stage.server.broadcast(studio.slug)).video_codec === 'h264');
  const page = await firefoxPage(firefox);
  try {
    await page.goto(`${stage.server.url}/watch/${studio.slug}`);
    await says(page, 'Your browser can’t play this match’s video (H.264)');
  } finally {
    await page.close();
  }
});
