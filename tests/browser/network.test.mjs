// Ways to the server other than the usual one.
import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { after, before, test } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';

/** Chromium looks for IPv6 ways only on a host that has an address besides loopback's. */
const hasIpv6 = Object.values(networkInterfaces()).flat().some(({ family, internal }) => family === 'IPv6' && !internal);

let server;
let browser;
before(async () => {
  if (!hasIpv6) return;
  [server, browser] = await Promise.all([Server.start('ipv6', ['--open-publish', '--media-ip', '::1'], '[::1]'), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
});
const scenario = hasIpv6 ? scenarios(() => ({ server, browser })) : (name) => test.skip(`${name} (this host has no IPv6)`);

/** The addresses of the server that the page's media goes to. */
const mediaAddresses = (page) => page.evaluate(async () => {
  const addresses = new Set();
  for (const connection of globalThis.connections) {
    const report = await connection.getStats();
    for (const { type, selectedCandidatePairId } of report.values()) {
      const pair = type === 'transport' ? report.get(selectedCandidatePairId) : null;
      if (pair) addresses.add(report.get(pair.remoteCandidateId).address);
    }
  }
  return [...addresses];
});

scenario('pages, signaling and media over IPv6 alone', async (stage) => {
  const studio = await stage.broadcast('Sixth version');
  const viewer = await stage.watch(studio.slug);
  assert.match(viewer.page.url(), /^http:\/\/\[::1\]:/);
  await viewer.moves();
  for (const page of [studio.page, viewer.page]) assert.deepEqual(await mediaAddresses(page), ['::1']);
});
