// The link relay between Chromium and the server: media passes through it, is delayed by it, and feels its bottleneck.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchChromium } from './support/chromium.mjs';
import { Linksim } from './support/linksim.mjs';
import { scenarios } from './support/scenario.mjs';
import { Server } from './support/server.mjs';
import { until } from './support/until.mjs';

const LATENCY_MS = 80;

let server;
let browser;
let relay;
const scenario = scenarios(() => ({ server, browser }));

before(async () => {
  browser = await launchChromium();
  const port = await Linksim.ports();
  server = await Server.start('linksim', ['--open-publish', '--advertise', `127.0.0.1:${port}`, '--hls=false']);
  relay = await Linksim.start(server, port, ['--both', `latency=${LATENCY_MS}ms`, '--seed', '7']);
});

after(async () => {
  await browser?.close();
  await relay?.stop();
  await server?.remove();
});

/** The round trip that a page's ICE measures on the pair in use, ms. */
const roundTrip = (page) => page.evaluate(async () => {
  for (const connection of globalThis.connections) {
    for (const entry of (await connection.getStats()).values()) {
      if (entry.type === 'candidate-pair' && entry.nominated && entry.currentRoundTripTime > 0) return entry.currentRoundTripTime * 1_000;
    }
  }
  return void 0;
});

scenario('a picture passes through the relay, late by what the relay was told', async (stage) => {
  const studio = await stage.broadcast('Through the relay', { width: 320, height: 180, rate: 15 });
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
  for (const page of [studio.page, viewer.page]) {
    const measured = await until('a round trip to be measured', () => roundTrip(page));
    assert.ok(measured >= 2 * LATENCY_MS, `${measured} ms there and back through the relay`);
  }
  const counts = await relay.counts();
  assert.equal(counts.flows_total, 2, 'one client each for publisher and viewer');
  assert.ok(counts.up.packets > 50 && counts.down.packets > 50, JSON.stringify(counts));
  assert.ok(counts.down.delay_mean_ms >= LATENCY_MS, JSON.stringify(counts.down));
  const age = await viewer.age();
  assert.ok(age === null || age >= 2 * LATENCY_MS, `the picture cannot be ${age} ms old`);
});
