// Records real browsers' offers into this directory, once per browser upgrade:
//   npm install --no-save playwright-core puppeteer-core   (in a directory of its own; name it in NODE_MODULES)
//   NODE_MODULES=/that/directory/node_modules node tests/golden/sdp/record.mjs [record|check] [chromium|firefox]
// `check` records nothing: it gives each browser the golden answer to the offer it makes now and prints what it made of it.
// CHROMIUM and FIREFOX name the programs (default: /usr/bin/chromium, /usr/bin/firefox-esr). No server is contacted.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(process.env.NODE_MODULES ?? join(process.cwd(), 'node_modules'), 'anchor.js'));

// Runs in the page. Offers are taken before gathering: an ICE-lite server needs no candidates of the client.
async function offer(scenario, answer) {
  const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  if (scenario.view) {
    pc.addTransceiver('video', { direction: 'recvonly' });
    pc.addTransceiver('audio', { direction: 'recvonly' });
  } else {
    const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 1280, height: 720 } });
    const layers = [
      { rid: 'l', scaleResolutionDownBy: 4, maxBitrate: 200_000 },
      { rid: 'm', scaleResolutionDownBy: 2, maxBitrate: 700_000 },
      { rid: 'h', scaleResolutionDownBy: 1, maxBitrate: 2_500_000 },
    ];
    const [video] = media.getVideoTracks();
    const [audio] = media.getAudioTracks();
    const transceiver = pc.addTransceiver(video, {
      direction: 'sendonly',
      streams: [media],
      ...(scenario.simulcast ? { sendEncodings: layers } : {}),
    });
    if (scenario.codec && transceiver.setCodecPreferences) {
      const codecs = RTCRtpSender.getCapabilities('video').codecs;
      transceiver.setCodecPreferences(codecs.filter((codec) => codec.mimeType === scenario.codec || /rtx/.test(codec.mimeType)));
    }
    pc.addTransceiver(audio, { direction: 'sendonly', streams: [media] });
  }
  const description = await pc.createOffer();
  if (answer === undefined) {
    pc.close();
    return description.sdp;
  }
  await pc.setLocalDescription(description);
  await pc.setRemoteDescription({ type: 'answer', sdp: answer });
  const agreed = pc.getTransceivers().map((transceiver) => {
    const peer = transceiver.currentDirection === 'sendonly' ? transceiver.sender : transceiver.receiver;
    const { codecs, headerExtensions, encodings } = peer.getParameters();
    const parts = [
      `${transceiver.mid} ${transceiver.currentDirection}`,
      `${codecs?.length ?? '?'} payload types`,
      `${headerExtensions?.length ?? '?'} extensions`,
      `encodings ${encodings?.map((encoding) => encoding.rid ?? '-').join(',') ?? '-'}`,
    ];
    return parts.join(', ');
  });
  pc.close();
  return agreed.join('; ');
}

const scenarios = {
  chromium: {
    'chromium-publish-simulcast': { simulcast: true },
    'chromium-publish-h264': { simulcast: false, codec: 'video/H264' },
    'chromium-view': { view: true },
  },
  firefox: {
    'firefox-publish': { simulcast: true },
    'firefox-view': { view: true },
  },
};

// getUserMedia needs a secure context, and the loopback host is one.
async function withPage(run) {
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html>'));
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  try {
    await run(`http://127.0.0.1:${server.address().port}/`);
  } finally {
    server.close();
  }
}

const launch = {
  async chromium() {
    const { chromium } = require('playwright-core');
    const browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream', '--no-sandbox'],
    });
    return { browser, page: await browser.newPage() };
  },
  async firefox() {
    const puppeteer = require('puppeteer-core');
    const browser = await puppeteer.launch({
      browser: 'firefox',
      executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
      headless: true,
      extraPrefsFirefox: { 'media.navigator.streams.fake': true, 'media.navigator.permission.disabled': true },
    });
    return { browser, page: await browser.newPage() };
  },
};

const check = process.argv.includes('check');
const wanted = process.argv.slice(2).filter((word) => word in scenarios);
for (const [name, list] of Object.entries(scenarios)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  await withPage(async (url) => {
    const { browser, page } = await launch[name]();
    try {
      await page.goto(url);
      for (const [file, scenario] of Object.entries(list)) {
        // As text, because one of the two drivers passes on a single argument.
        const golden = check ? readFileSync(join(here, `${file}.answer.sdp`), 'utf8') : undefined;
        const said = await page.evaluate(`(${offer})(${JSON.stringify(scenario)}, ${JSON.stringify(golden)})`);
        if (!check) writeFileSync(join(here, `${file}.sdp`), said);
        console.log(`${file}: ${await browser.version()}${check ? `: ${said}` : ''}`);
      }
    } finally {
      await browser.close();
    }
  });
}
