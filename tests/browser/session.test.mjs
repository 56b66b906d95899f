// One session, two engines: WebRTC where the network lets it through, HLS where it does not, and no reload between them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { WatchPage } from './support/places.mjs';
import { Relay } from './support/relay.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { betweenPageAndServer } from './support/signaling.mjs';
import { until } from './support/until.mjs';

const FLIPS = readFileSync(new URL('./support/flips.js', import.meta.url), 'utf8');
/** What only HLS can be: the way through parts and buffer takes that long. */
const HLS_AGE_MIN_MS = 900;
const AGE_MAX_MS = 4_000;
const PICTURE = { codec: 'H264', width: 640, height: 360, rate: 30 };

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([Server.start('session'), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = scenarios(() => ({ server, browser }));

/** A viewer whose media can only come through `relay`. Pages, signaling and HLS go straight to the server. */
async function watchThrough(relay, stage, slug) {
  const page = await stage.page(null, { scripts: [FLIPS] });
  await betweenPageAndServer(page, relay.redirect);
  await page.goto(`/watch/${slug}`);
  return new WatchPage(page);
}

const flipsFrom = (viewer, engine) => viewer.page.evaluate((from) => globalThis.flipsFrom(from), engine);
const viewersOf = async (slug) => (await server.broadcast(slug)).viewers;

scenario('when all media dies in the middle the picture goes on by HLS, and comes back to WebRTC when the network does', async (stage) => {
  const studio = await stage.broadcast('Cut', PICTURE);
  const relay = await Relay.open();
  try {
    const viewer = await watchThrough(relay, stage, studio.slug);
    await viewer.moves();
    assert.equal(await viewer.engine(), 'webrtc');
    await until('the playlist to be warm', () => viewer.page.evaluate(() => performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/master.m3u8'))));
    relay.let({ udp: false, tcp: false });
    await viewer.isBy('hls');
    await viewer.moves();
    const age = await viewer.age();
    assert.ok(age > HLS_AGE_MIN_MS && age < AGE_MAX_MS, `the picture is ${age} ms old`);
    await viewer.page.getByText('You’re on the delayed stream', { exact: true }).waitFor();
    assert.match(await viewer.player.getByRole('button', { name: 'go to the live edge' }).innerText(), /behind/);
    assert.equal(await viewersOf(studio.slug), 1, 'a person who watches by HLS counts once');
    const [down] = await flipsFrom(viewer, 'webrtc');
    console.log(`cut: picture stood still for ${Math.round(down.gapMs)} ms, ${Math.round(-down.jumpMs)} ms repeated`);
    assert.ok(down.readable, 'the picture was never black');
    assert.ok(down.gapMs < 5_000, `the picture stood still for ${down.gapMs} ms`);

    relay.let({ udp: true, tcp: true });
    const back = performance.now();
    await viewer.isBy('webrtc', { within: 30_000 });
    console.log(`back on WebRTC ${Math.round(performance.now() - back)} ms after the network`);
    await viewer.moves();
    const [up] = await flipsFrom(viewer, 'hls');
    console.log(`back: picture stood still for ${Math.round(up.gapMs)} ms, jump ${Math.round(up.jumpMs)} ms`);
    assert.ok(up.readable, 'the picture was never black');
    assert.equal(await viewersOf(studio.slug), 1);
  } finally {
    relay.close();
  }
});

scenario('HLS that is kept ready makes no publisher send what nobody watches, and brings all of it once it plays', async (stage) => {
  const studio = await stage.broadcast('Kept ready', { ...PICTURE, width: 1280, height: 720, rate: 20 });
  const relay = await Relay.open();
  try {
    let looks = 0;
    const viewer = await watchThrough(relay, stage, studio.slug);
    viewer.page.on('request', (request) => { if (request.method() === 'HEAD' && request.url().endsWith('/master.m3u8')) looks += 1; });
    /** The page asks for no more than the head once it knows all sizes. */
    const nextLook = async (what) => {
      const before = looks;
      await until(what, () => looks > before, { within: 50_000 });
    };
    await viewer.moves();
    await studio.sends('720p · 360p · 180p');
    await nextLook('the page to keep all of HLS ready');
    await viewer.page.setViewportSize({ width: 390, height: 844 });
    await studio.sends('360p · 180p', { within: 50_000 });
    await nextLook('another look');
    assert.match(await (await fetch(`${server.url}/metrics`)).text(), /^courtside_hls_packagers [1-9]/m, 'the packager runs');
    await studio.sends('360p · 180p', { within: 1_000 });
    relay.let({ udp: false, tcp: false });
    await viewer.isBy('hls');
    await viewer.moves();
    const [down] = await flipsFrom(viewer, 'webrtc');
    console.log(`from what was kept ready: picture stood still for ${Math.round(down.gapMs)} ms`);
    assert.ok(down.readable, 'the picture was never black');
    assert.ok(down.gapMs < 5_000, `the picture stood still for ${down.gapMs} ms`);
    await studio.sends('720p · 360p · 180p');
    await viewer.moves();
  } finally {
    relay.close();
  }
}, { timeout: 180_000 });

scenario('a network without UDP and TCP for media plays by HLS from the start', async (stage) => {
  const studio = await stage.broadcast('Closed', PICTURE);
  const relay = await Relay.open();
  relay.let({ udp: false, tcp: false });
  try {
    const began = performance.now();
    const viewer = await watchThrough(relay, stage, studio.slug);
    await viewer.isBy('hls');
    await viewer.moves();
    console.log(`moves by HLS ${Math.round(performance.now() - began)} ms after the link was opened`);
    await viewer.page.getByText('This network blocks live video', { exact: false }).first().waitFor();
    assert.equal(await viewersOf(studio.slug), 1);
  } finally {
    relay.close();
  }
});

scenario('a person pins HLS in the menu, chooses a size there, and pins WebRTC again', async (stage) => {
  const studio = await stage.broadcast('Pinned', { ...PICTURE, width: 1280, height: 720 });
  // Layers begin one after the other, and a busy machine takes its time with the large ones.
  const pictures = async () => new Set((await (await fetch(`${server.url}/hls/${studio.slug}/master.m3u8`)).text()).match(/RESOLUTION=\d+x\d+/g)).size;
  await until('all pictures to be packaged', async () => (await pictures()) === 3, { within: 30_000 });
  const viewer = await stage.watch(studio.slug, { scripts: [FLIPS] });
  await viewer.moves();
  await viewer.chooseTransport('Buffered');
  await viewer.isBy('hls');
  await viewer.moves();
  const peers = () => viewer.page.evaluate(() => globalThis.connections.filter(({ connectionState }) => connectionState !== 'closed').length);
  await until('the WebRTC transport to be given up', async () => (await peers()) === 0);
  assert.equal(await viewersOf(studio.slug), 1, 'without a transport the seat is kept');
  const sizes = await viewer.qualities();
  assert.ok(sizes.some((name) => name.startsWith('720p')) && sizes.length >= 3, sizes.join(', '));
  await viewer.chooseQuality('180p');
  await viewer.showsWidth(320);
  assert.equal(await viewer.engine(), 'hls');
  await viewer.page.keyboard.press('i');
  await viewer.player.getByText('HLS', { exact: true }).waitFor();
  await viewer.page.keyboard.press('i');
  await viewer.chooseTransport('Real time');
  await viewer.isBy('webrtc');
  await viewer.moves();
  const age = await viewer.age();
  assert.ok(age < HLS_AGE_MIN_MS, `the picture is ${age} ms old`);
  assert.ok([...(await flipsFrom(viewer, 'webrtc')), ...(await flipsFrom(viewer, 'hls'))].every(({ readable }) => readable), 'the picture was never black');
});
