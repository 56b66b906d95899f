// What is sent twice over paths that lose packets: sound with the frames before it, on the one SSRC under another payload type; to viewers far
// away, parity beside the picture.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { Linksim } from './support/linksim.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

let server;
let far;
let browser;
const relays = [];
const scenario = scenarios(() => ({ server, browser }));

/** A server that is reached through a relay alone. */
async function behind(name, options) {
  const port = await Linksim.ports();
  const started = await Server.start(name, ['--open-publish', '--advertise', `127.0.0.1:${port}`, '--hls=false']);
  relays.push(await Linksim.start(started, port, [...options, '--seed', '7']));
  return started;
}

before(async () => {
  browser = await launchChromium();
  server = await behind('redundancy', ['--down', 'latency=20ms loss=10%']);
  far = await behind('parity', ['--down', 'latency=80ms loss=5%', '--up', 'latency=80ms']);
});

after(async () => {
  await browser?.close();
  for (const relay of relays) await relay.stop();
  await server?.remove();
  await far?.remove();
});

/** What the viewer's page received of the sound. */
const sound = (page) => page.evaluate(async () => {
  for (const connection of globalThis.connections) {
    for (const entry of (await connection.getStats()).values()) {
      if (entry.type !== 'inbound-rtp' || entry.kind !== 'audio') continue;
      const { packetsReceived, packetsLost, totalSamplesReceived, concealedSamples } = entry;
      return { packetsReceived, packetsLost, totalSamplesReceived, concealedSamples };
    }
  }
  return undefined;
});

const RED = /^a=(rtpmap|fmtp):63 .*\r\n/gim;

/** Frames of a viewer that were made up between two looks, as a share of those that were played; and of its packets, those lost. */
async function concealed(page) {
  const first = await until('some sound', async () => {
    const now = await sound(page);
    return now?.packetsReceived > 100 ? now : undefined;
  }, { within: 30_000 });
  const last = await until('more of it', async () => {
    const now = await sound(page);
    return now.packetsReceived - first.packetsReceived > 300 ? now : undefined;
  }, { within: 30_000 });
  const of = (key) => last[key] - first[key];
  return {
    concealed: of('concealedSamples') / of('totalSamplesReceived'),
    lost: of('packetsLost') / (of('packetsLost') + of('packetsReceived')),
  };
}

scenario('a viewer that loses a tenth of its packets hears nearly all of the sound', async (stage) => {
  const studio = await stage.broadcast('Lossy', { width: 320, height: 180, rate: 15 });
  const viewer = await stage.watch(studio.slug);
  const without = await stage.watch(studio.slug, {
    // The same without redundancy in its offer.
    scripts: [`{
      const create = RTCPeerConnection.prototype.createOffer;
      RTCPeerConnection.prototype.createOffer = async function (...options) {
        const offer = await create.apply(this, options);
        return { type: offer.type, sdp: offer.sdp.replace(${RED}, '').replace(/^(m=audio .*) 63\\b/m, '$1') };
      };
    }`],
  });
  const [withRed, withoutRed] = await Promise.all([concealed(viewer.page), concealed(without.page)]);
  const both = JSON.stringify({ withRed, withoutRed });
  assert.ok(withRed.lost > 0.05 && withoutRed.lost > 0.05, both);
  // Measured: 0.1 % of the samples were made up, and 9 % without.
  assert.ok(withRed.concealed < withoutRed.concealed / 2, both);
});

/** What the viewer's page received of the picture. */
const picture = (page) => page.evaluate(async () => {
  for (const connection of globalThis.connections) {
    for (const entry of (await connection.getStats()).values()) {
      if (entry.type !== 'inbound-rtp' || entry.kind !== 'video') continue;
      const { packetsReceived, packetsLost, fecPacketsReceived, framesDecoded } = entry;
      return { packetsReceived, packetsLost, fecPacketsReceived, framesDecoded };
    }
  }
  return undefined;
});

/** A viewer that cannot ask for a packet again, so that nothing but parity brings one back; and that takes no parity, unless `fec`. */
const withoutRepair = (fec) => `{
  const create = RTCPeerConnection.prototype.createOffer;
  RTCPeerConnection.prototype.createOffer = async function (...options) {
    const offer = await create.apply(this, options);
    let sdp = offer.sdp.replace(/^a=rtcp-fb:\\d+ nack\\r\\n/gm, '');
    const pt = sdp.match(/^a=rtpmap:(\\d+) flexfec-03/m)?.[1];
    if (!${fec}) sdp = sdp.replace(new RegExp('^a=(rtpmap|fmtp|rtcp-fb):' + pt + ' .*\\r\\n', 'gm'), '').replace(new RegExp('^(m=video .*) ' + pt + '\\b', 'm'), '$1');
    return { type: offer.type, sdp };
  };
}`;

scenario('a viewer far away that loses packets has most of them back from parity', async (stage) => {
  const studio = await stage.broadcast('Far', {}, { server: far });
  const [protectedPage, plainPage] = await Promise.all([true, false].map(async (fec) => {
    const viewer = await stage.watch(studio.slug, { server: far, scripts: [withoutRepair(fec)] });
    return viewer.page;
  }));
  const later = async (page) => {
    await until('parity, or as much time', async () => (await picture(page))?.packetsReceived > 1500, { within: 50_000 });
    return picture(page);
  };
  const [withParity, without] = await Promise.all([later(protectedPage), later(plainPage)]);
  const both = JSON.stringify({ withParity, without });
  assert.ok(withParity.fecPacketsReceived > 50 && !without.fecPacketsReceived, both);
  // Measured: 363 frames decoded of about 390, and 164 without parity.
  assert.ok(withParity.framesDecoded > without.framesDecoded * 1.4, both);
});
