// TURN: the credentials that the server hands out open a real coturn, and the picture comes through it.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launchChromium } from '../support/chromium.mjs';
import { scenarios } from '../support/scenario.mjs';
import { Server } from '../support/server.mjs';
import { Turn } from '../support/turn.mjs';
import { until } from '../support/until.mjs';

const SECRET = 'a secret between the two of them';
/** What a client is told the credentials are good for, s (`TURN_CREDENTIAL_TTL`). */
const GOOD_FOR_S = 6 * 3600;

let turn;
let server;
let browser;
before(async () => {
  turn = await Turn.start(SECRET);
  const urls = ['udp', 'tcp'].map((transport) => `turn:127.0.0.1:${turn.port}?transport=${transport}`);
  const options = ['--open-publish', '--media-ip', '127.0.0.1', '--turn-secret', SECRET, ...urls.flatMap((url) => ['--ice-server', url])];
  [server, browser] = await Promise.all([Server.start('turn', options), launchChromium()]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
  await turn?.stop();
});
const scenario = scenarios(() => ({ server, browser }));

/** A page whose network lets media only to TURN servers of this transport. */
const onlyByRelay = (transport) => `{
  globalThis.RTCPeerConnection = class extends globalThis.RTCPeerConnection {
    constructor(configuration) {
      const iceServers = configuration.iceServers.map((server) => ({ ...server, urls: server.urls.filter((url) => url.endsWith('=${transport}')) }));
      super({ ...configuration, iceServers, iceTransportPolicy: 'relay' });
    }
  };
}`;

for (const transport of ['udp', 'tcp']) {
  scenario(`a viewer who can reach nothing but TURN by ${transport} has the picture through it`, async (stage) => {
    const studio = await stage.broadcast(`By relay, ${transport}`);
    const viewer = await stage.watch(studio.slug, { scripts: [onlyByRelay(transport)] });
    await viewer.moves();
    const { type, relayProtocol } = await viewer.path();
    assert.deepEqual({ type, relayProtocol }, { type: 'relay', relayProtocol: transport });
  });
}

scenario('a publisher who can reach nothing but TURN is on air through it', async (stage) => {
  const studio = await stage.studio({}, { scripts: [onlyByRelay('udp')] });
  await studio.goLive('Published by relay');
  assert.equal((await studio.path()).type, 'relay');
  const viewer = await stage.watch(studio.slug);
  await viewer.moves();
});

/** What WHEP names in `Link` headers (RFC 9725 section 4.6). */
async function serversOfWhep(page, slug) {
  return page.evaluate(async (name) => {
    const connection = new RTCPeerConnection();
    connection.addTransceiver('video', { direction: 'recvonly' });
    await connection.setLocalDescription();
    const response = await fetch(`/whep/${name}`, { method: 'POST', headers: { 'content-type': 'application/sdp' }, body: connection.localDescription.sdp });
    connection.close();
    const links = response.headers.get('link').split(/,\s*(?=<)/);
    return links.map((link) => {
      const [, urls, parameters] = /^<([^>]+)>(.*)$/.exec(link);
      return { urls, ...Object.fromEntries([...parameters.matchAll(/;\s*([\w-]+)="([^"]*)"/g)].map(([, key, value]) => [key, value])) };
    });
  }, slug);
}

/** The error codes and the candidates that gathering brings, with nothing but these servers. */
const gather = (page, servers) => page.evaluate((iceServers) => new Promise((resolve) => {
  const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy: 'relay' });
  const found = { errors: [], relays: 0 };
  connection.addEventListener('icecandidateerror', ({ errorCode }) => found.errors.push(errorCode));
  connection.addEventListener('icecandidate', ({ candidate }) => {
    if (candidate?.type === 'relay') found.relays += 1;
    if (candidate === null) resolve(found);
  });
  connection.addTransceiver('audio');
  void connection.setLocalDescription();
}), servers);

scenario('WHEP names the same servers, and credentials are good as they are and for their time only', async (stage) => {
  const studio = await stage.broadcast('Links');
  const page = await stage.page('/');
  await until('a live broadcast', async () => (await stage.server.broadcast(studio.slug)).state === 'live');
  const now = Date.now() / 1000;
  const servers = await serversOfWhep(page, studio.slug);
  assert.equal(servers.length, 2);
  for (const { rel, username, 'credential-type': type } of servers) {
    assert.deepEqual({ rel, type }, { rel: 'ice-server', type: 'password' });
    assert.ok(Math.abs(Number(username.split(':')[0]) - now - GOOD_FOR_S) < 60, username);
  }
  const { urls, username, credential } = servers[0];
  const as_named = await gather(page, [{ urls, username, credential }]);
  assert.ok(as_named.relays > 0 && as_named.errors.length === 0, JSON.stringify(as_named));
  // Somebody who would like them to be good for longer.
  const stretched = await gather(page, [{ urls, username: String(Number(username) + 1), credential }]);
  assert.equal(stretched.relays, 0);
  assert.ok(stretched.errors.includes(401), JSON.stringify(stretched));
});
