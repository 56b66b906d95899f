// Everything that can stand between a viewer and the picture is told in words, and whatever can mend itself does.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { WatchPage } from './support/places.mjs';
import { Relay } from './support/relay.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { betweenPageAndServer, silentServer } from './support/signaling.mjs';
import { until } from './support/until.mjs';

let server;
let small;
let browser;
before(async () => {
  [server, small, browser] = await Promise.all([
    Server.start('states', ['--open-publish', '--hls=false']),
    Server.start('states-small', ['--open-publish', '--max-viewers', '1', '--hls=false']),
    launchChromium(),
  ]);
});
after(async () => {
  await browser?.close();
  await Promise.all([server?.remove(), small?.remove()]);
});
const scenario = scenarios(() => ({ server, browser }));

scenario('connecting is told as long as the server says nothing', async (stage) => {
  const page = await stage.page();
  await silentServer(page);
  await page.goto('/watch/whatever');
  await new WatchPage(page).says('Getting you to the match');
  await page.getByText('Usually under a second.').first().waitFor();
});

scenario('a match that has not started waits, and starts by itself', async (stage) => {
  const studio = await stage.studio();
  await studio.page.getByRole('button', { name: 'OBS or encoder' }).click();
  await studio.page.getByLabel('Title').fill('Not yet');
  await studio.page.getByRole('button', { name: 'Make the link' }).click();
  await studio.page.getByText('Waiting for your encoder').waitFor();
  const { slug, token } = await studio.own();
  const viewer = await stage.watch(slug);
  await viewer.says('The match hasn’t started');
  // The encoder is a page that publishes by WHIP.
  await studio.page.evaluate(async ({ slug, token }) => {
    const connection = new RTCPeerConnection();
    const { getUserMedia } = navigator.mediaDevices;
    const stream = await getUserMedia.call(navigator.mediaDevices, { video: true, audio: true });
    for (const track of stream.getTracks()) connection.addTransceiver(track, { direction: 'sendonly' });
    await connection.setLocalDescription();
    const answer = await fetch(`/whip/${slug}`, {
      method: 'POST', headers: { 'content-type': 'application/sdp', authorization: `Bearer ${token}` }, body: connection.localDescription.sdp,
    });
    await connection.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
  }, { slug, token });
  await viewer.moves();
  await studio.isLive();
  assert.equal((await stage.server.broadcast(slug)).viewers, 1);
});

/** A viewer whose media can only come through `relay`. */
async function watchThrough(relay, stage, slug) {
  const page = await stage.page();
  await betweenPageAndServer(page, relay.redirect);
  await page.goto(`/watch/${slug}`);
  return new WatchPage(page);
}

scenario('a viewer whose network blocks UDP and TCP is told what stands in the way, and gets the picture once it is open', async (stage) => {
  const studio = await stage.broadcast('Live behind a wall');
  const relay = await Relay.open();
  relay.let({ udp: false, tcp: false });
  try {
    const viewer = await watchThrough(relay, stage, studio.slug);
    const { page } = viewer;
    await viewer.says('Getting you to the match');
    await until('the page to knock', () => relay.heard > 0);
    await viewer.says('This network blocks live video', { within: 20_000 });
    await page.screenshot({ path: `${stage.out}/watch-blocked.png` });
    await page.getByRole('button', { name: 'What to ask IT' }).click();
    await page.getByRole('dialog', { name: 'What to ask IT' }).getByText('Please allow outgoing UDP').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Try again' }).click();
    // The press is answered at once, and honestly.
    await viewer.says('Getting you to the match');
    await viewer.says('This network blocks live video', { within: 20_000 });
    // Nobody needs to press anything once the network lets media through: the page tries all the while.
    relay.let({ udp: true, tcp: true });
    await viewer.moves({ within: 20_000 });
  } finally {
    relay.close();
  }
});

scenario('a full server keeps the newcomer waiting in words and lets them in when there is room', async (stage) => {
  const studio = await stage.broadcast('Sold out', {}, { server: small });
  const seated = await stage.watch(studio.slug, { server: small });
  await seated.moves();
  const standing = await stage.watch(studio.slug, { server: small });
  await standing.says('Every seat is taken');
  await standing.page.screenshot({ path: `${stage.out}/watch-full.png` });
  await seated.moves();
  await seated.page.close();
  await standing.moves({ within: 30_000 });
});

/** A browser without a codec: neither offered nor decoded. */
const without = (codec) => `{
  const { addTransceiver } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.addTransceiver = function (...wished) {
    const transceiver = addTransceiver.apply(this, wished);
    if (wished[0] === 'video') {
      const { codecs } = RTCRtpReceiver.getCapabilities('video');
      transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => mimeType.toLowerCase() !== 'video/${codec}'));
    }
    return transceiver;
  };
}`;

scenario('a browser that cannot decode the match is told so, with the name of the codec', async (stage) => {
  const studio = await stage.broadcast('VP9 only', { codec: 'VP9' });
  await until('the codec to be known', async () => (await stage.server.broadcast(studio.slug)).video_codec === 'vp9');
  const viewer = await stage.watch(studio.slug, { scripts: [without('vp9')] });
  await viewer.says('Your browser can’t play this match’s video (VP9)');
  await viewer.page.screenshot({ path: `${stage.out}/watch-codec.png` });
  const able = await stage.watch(studio.slug);
  await able.moves();
});

scenario('a page that is older than the server is told to load again', async (stage) => {
  const page = await stage.page();
  await betweenPageAndServer(page, (message) => (message.type === 'welcome'
    ? { type: 'error', error: { code: 'unsupported_protocol', message: 'This server speaks 2.', retryable: false } }
    : message));
  await page.goto('/watch/whatever');
  await new WatchPage(page).says('This page is out of date');
  await page.getByRole('button', { name: 'Load again' }).waitFor();
});

scenario('a viewer whose own connection breaks sees so, with the picture behind it, and is brought back', async (stage) => {
  const studio = await stage.broadcast('Own line');
  const relay = await Relay.open();
  try {
    const viewer = await watchThrough(relay, stage, studio.slug);
    await viewer.moves();
    relay.let({ udp: false, tcp: false });
    await viewer.says('Finding the match again', { within: 20_000 });
    await viewer.page.getByText('Your connection dropped').first().waitFor();
    await viewer.page.screenshot({ path: `${stage.out}/watch-reconnecting.png` });
    relay.let({ udp: true, tcp: true });
    await viewer.moves({ within: 30_000 });
    assert.equal((await stage.server.broadcast(studio.slug)).viewers, 1);
  } finally {
    relay.close();
  }
});

/** A page whose devices answer with one of the errors of Media Capture and Streams. */
const deviceFails = (name) => `navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', '${name}'));`;

for (const [name, title] of [
  ['NotAllowedError', 'Your camera is blocked'], ['NotFoundError', 'No camera found'], ['NotReadableError', 'Your camera is in use'],
]) {
  scenario(`the studio says what to do about the camera: ${name}`, async (stage) => {
    const page = await stage.page('/studio', { scripts: [deviceFails(name)] });
    await page.getByRole('alert').getByRole('heading', { name: title }).waitFor();
    await page.getByRole('button', { name: 'Try again' }).waitFor();
    assert.equal(await page.getByRole('main').getByRole('button', { name: 'Go live' }).isDisabled(), true);
    await page.screenshot({ path: `${stage.out}/studio-${name}.png` });
  });
}

scenario('a second publisher of one broadcast is told that somebody is on air', async (stage) => {
  const studio = await stage.broadcast('One at a time');
  const { id } = await studio.own();
  // Another person with a right to publish here.
  const token = await stage.server.token('--publish', '--view', '--broadcast', studio.slug);
  const other = await stage.studio({}, {
    scripts: [`sessionStorage.setItem('courtside.studio', ${JSON.stringify(JSON.stringify({ id, slug: studio.slug, token, whipUrl: '', watchUrl: '', source: 'camera' }))});`],
  });
  await other.page.getByText('Someone else is on air here').waitFor();
  await other.page.screenshot({ path: `${stage.out}/studio-taken.png` });
});
