// A viewer in Chromium behind a bad line, and what it saw. Only the viewer's media takes the line: its page's answers name the relay.
import { launchChromium } from '../support/chromium.mjs';
import { Linksim } from '../support/linksim.mjs';
import { Stage } from '../support/scenario.mjs';
import { Server, WORKERS } from '../support/server.mjs';
import { until } from '../support/until.mjs';

const SAMPLE_EVERY_MS = 100;
/** The drawn camera with noise, so that the layers have the bit rates of a real picture: 2.5, 0.8 and 0.2 Mbit/s. */
const CAMERA = { width: 1280, height: 720, rate: 30, grain: 0.12 };
export const TOP_WIDTH = CAMERA.width;
export const PICTURE = `${CAMERA.width}x${CAMERA.height} at ${CAMERA.rate} with grain, three layers`;

/** In the page, before anything else: answers lead to the relay. */
const throughRelay = (from, to) => `{
  const ports = ${WORKERS};
  const set = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function (description) {
    const sdp = description.sdp.replace(/^(a=candidate:\\S+ \\d+ udp \\d+ \\S+ )(\\d+)/gim, (all, head, port) => {
      const worker = Number(port) - ${from};
      return worker >= 0 && worker < ports ? head + (${to} + worker) : all;
    });
    return set.call(this, { type: description.type, sdp });
  };
}`;

/** A broadcast on air and a place to watch it from. */
export async function theatre(name) {
  const server = await Server.start(name);
  const browsers = await Promise.all([launchChromium(), launchChromium()]);
  const [air, seats] = browsers.map((browser) => new Stage({ server, browser }));
  const close = async () => {
    await Promise.all([air.clear(), seats.clear()]);
    await Promise.all(browsers.map((browser) => browser.close()));
    await server.remove();
  };
  try {
    const studio = await air.broadcast(name, CAMERA);
    const ports = await Linksim.ports();
    /** One viewer on a line: watches until its picture has come, then for `ms`. */
    const watch = async (line, ms, settleMs = 8_000) => {
      const relay = await Linksim.start(server, ports, line);
      const relayStarted = Date.now();
      try {
        const viewer = await seats.watch(studio.slug, { scripts: [throughRelay(server.mediaPort, ports)] });
        await until('a picture', async () => (await viewer.inbound('video')).framesDecoded > 30, { within: 30_000 });
        await viewer.page.waitForTimeout(settleMs);
        const samples = await viewer.page.evaluate(sample, { ms, every: SAMPLE_EVERY_MS });
        return { ...samples, relayStarted, line: await relay.counts() };
      } finally {
        await seats.clear();
        await relay.stop();
      }
    };
    return { watch, close, server };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** In the page: what the peer received, and when frames were shown, for `ms`. Times are on the wall clock. */
async function sample({ ms, every }) {
  const video = document.querySelector('video');
  const shown = [];
  const frame = () => {
    shown.push(performance.timeOrigin + performance.now());
    video.requestVideoFrameCallback(frame);
  };
  video.requestVideoFrameCallback(frame);
  const samples = [];
  const end = performance.now() + ms;
  while (performance.now() < end) {
    for (const connection of globalThis.connections) {
      if (connection.connectionState !== 'connected') continue;
      for (const entry of (await connection.getStats()).values()) {
        if (entry.type !== 'inbound-rtp' || entry.kind !== 'video' || !entry.framesDecoded) continue;
        const { frameWidth, framesDecoded, freezeCount, totalFreezesDuration, bytesReceived, packetsLost, packetsReceived, nackCount, pliCount } = entry;
        samples.push({ at: Date.now(), frameWidth, framesDecoded, freezeCount, totalFreezesDuration, bytesReceived, packetsLost, packetsReceived, nackCount, pliCount });
      }
    }
    await new Promise((resolve) => setTimeout(resolve, every));
  }
  return { samples, shown };
}

/** Share of the time that the picture stood still, as Chromium counts it, percent. */
export function freezeRatio({ samples }) {
  const [first, last] = [samples[0], samples.at(-1)];
  return (100 * (last.totalFreezesDuration - first.totalFreezesDuration)) / ((last.at - first.at) / 1_000);
}

/** The longest time between two frames on the screen within a stretch of time, ms. */
export function longestGap(shown, from, to) {
  const within = [from, ...shown.filter((at) => at >= from && at <= to), to];
  return Math.max(...within.slice(1).map((at, index) => at - within[index]));
}

/** Changes of the picture's width within a stretch of time. */
export function switches(samples, from, to) {
  const widths = samples.filter(({ at }) => at >= from && at <= to).map(({ frameWidth }) => frameWidth);
  return widths.slice(1).filter((width, index) => width !== widths[index]).length;
}
