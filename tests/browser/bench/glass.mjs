// Glass to glass: from drawing a picture in one Chromium (Studio) to its display in another (Watch), through the server, on one clock.
// The picture carries the wall clock at its drawing; the viewer reads it off the frame on screen and compares with the moment that the
// browser names for its display, or with now where that has passed.
//
//   glass.mjs [--json] [--seconds=20] [--codec=H264|VP8]
import { launchChromium } from '../support/chromium.mjs';
import { Stage } from '../support/scenario.mjs';
import { Server } from '../support/server.mjs';
import { until } from '../support/until.mjs';
import { machine, numberOption, print, quantile, rounded } from './report.mjs';

const WIDTH = 640;
const HEIGHT = 360;
const RATE = 30;
const seconds = numberOption('seconds', 20);
const codec = process.argv.find((argument) => argument.startsWith('--codec='))?.slice(8) ?? null;

const server = await Server.start('bench-glass');
const browsers = await Promise.all([launchChromium(), launchChromium()]);
const stage = new Stage({ server, browser: browsers[0] });
try {
  const studio = await stage.broadcast('Glass to glass', { width: WIDTH, height: HEIGHT, rate: RATE, codec });
  const viewer = await stage.watch(studio.slug, { browser: browsers[1] });
  // Encoders and jitter buffers need some seconds to find their rate: measured is how it is to watch, not how it is to arrive.
  await viewer.showsWidth(WIDTH, { within: 30_000 });
  await until('a full frame rate for a while', async () => (await viewer.inbound('video')).framesDecoded > RATE * 8, { within: 30_000 });
  const before = await viewer.inbound('video');
  const { ages, unreadable } = await viewer.page.evaluate(measure, seconds * 1_000);
  const after = await viewer.inbound('video');
  const sorted = ages.toSorted((a, b) => a - b);
  const frames = after.framesDecoded - before.framesDecoded;
  const perFrame = (key) => rounded(((after[key] - before[key]) / frames) * 1_000);
  const conditions = `Chromium to Chromium over loopback, ${WIDTH}x${HEIGHT} at ${RATE}, ${codec ?? 'H264'} simulcast and Opus, ${seconds} s, ${machine()}`;
  print([
    { name: 'glass.p50', value: rounded(quantile(sorted, 0.5)), unit: 'ms', aim: 120 },
    { name: 'glass.p50.gate', value: rounded(quantile(sorted, 0.5)), unit: 'ms', aim: 200, gate: true },
    { name: 'glass.p95', value: rounded(quantile(sorted, 0.95)), unit: 'ms', aim: 200 },
    { name: 'glass.max', value: rounded(sorted.at(-1) ?? NaN), unit: 'ms' },
    { name: 'glass.samples', value: sorted.length, unit: 'frames' },
    { name: 'glass.unreadable', value: unreadable, unit: 'frames' },
    { name: 'glass.frame_rate', value: rounded(frames / seconds), unit: 'fps' },
    { name: 'glass.jitter_buffer', value: perFrame('jitterBufferDelay'), unit: 'ms' },
    { name: 'glass.decode', value: perFrame('totalDecodeTime'), unit: 'ms' },
    { name: 'glass.freezes', value: after.freezeCount - before.freezeCount, unit: 'freezes' },
  ], conditions);
} finally {
  await stage.clear();
  await Promise.all(browsers.map((browser) => browser.close()));
  await server.remove();
}

/** In the page: the age of every frame at its display, for `forMs`. */
function measure(forMs) {
  const video = document.querySelector('video');
  const { read, age } = globalThis.barcode;
  return new Promise((resolve) => {
    const ages = [];
    let unreadable = 0;
    const started = performance.now();
    const frame = (now, { expectedDisplayTime }) => {
      const shownAt = performance.timeOrigin + Math.max(expectedDisplayTime, now);
      const counter = read(video);
      if (counter === null) unreadable += 1;
      else ages.push(age(counter, shownAt % 2 ** 24));
      if (performance.now() - started < forMs) video.requestVideoFrameCallback(frame);
      else resolve({ ages, unreadable });
    };
    video.requestVideoFrameCallback(frame);
  });
}
