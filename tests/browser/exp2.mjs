import { launchChromium } from './support/chromium.mjs';
import { Relay } from './support/relay.mjs';
import { Stage } from './support/scenario.mjs';
import { WatchPage } from './support/places.mjs';
import { Server } from './support/server.mjs';
import { betweenPageAndServer } from './support/signaling.mjs';
const server = await Server.start('exp'); const browser = await launchChromium();
const stage = new Stage({ server, browser });
try {
const studio = await stage.broadcast('Exp');
for (let i = 0; i < 3; i++) {
  const relay = await Relay.open(); let cut = 0;
  const page = await stage.page();
  await betweenPageAndServer(page, (m) => { if (cut && m.type === 'answer') console.log('answer', Math.round(performance.now() - cut)); return relay.redirect(m); });
  await page.goto(`/watch/${studio.slug}`);
  const viewer = new WatchPage(page); await viewer.moves(); await new Promise((r) => setTimeout(r, 3000));
  await page.evaluate(() => {
    globalThis.log = []; globalThis.t0 = performance.now(); const say = (x) => globalThis.log.push(`${Math.round(performance.now() - globalThis.t0)} ${x}`);
    const c = globalThis.connections.at(-1);
    c.onconnectionstatechange = () => say('conn ' + c.connectionState);
    c.onsignalingstatechange = () => say('sig ' + c.signalingState);
    const t = c.getReceivers()[0].transport.iceTransport;
    t.onselectedcandidatepairchange = () => say('pair ' + t.getSelectedCandidatePair()?.local.protocol);
    const v = document.querySelector('video'); let last = performance.now();
    const next = () => v.requestVideoFrameCallback((now) => { if (now - last > 300) say(`frames again after ${Math.round(now - last)}`); last = now; next(); }); next();
    let n = 0, at = performance.now();
    setInterval(async () => { let m = 0; for (const e of (await c.getStats()).values()) if (e.type === 'inbound-rtp') m += e.packetsReceived; if (m > n) { if (performance.now() - at > 300) say(`packets again after ${Math.round(performance.now() - at)}`); at = performance.now(); n = m; } }, 50);
  });
  cut = performance.now(); relay.let({ udp: false });
  await new Promise((r) => setTimeout(r, 8000));
  console.log((await page.evaluate(() => globalThis.log)).join('\n'));
  await page.close(); relay.close();
}
} finally { await stage.clear(); await browser.close(); await server.remove(); }
