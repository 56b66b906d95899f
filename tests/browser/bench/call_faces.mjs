// Ten faces at 2 Mbit/s: a page that watches the match by a narrow way and has every face of ten others open. What the match, the voices and the
// faces get is read in that page; the ten others are connections of one page, so that two cores encode them.
import { readFileSync } from 'node:fs';
import { CallPage } from '../support/call.mjs';
import { launchChromium } from '../support/chromium.mjs';
import { Linksim } from '../support/linksim.mjs';
import { Stage } from '../support/scenario.mjs';
import { betweenPageAndServer } from '../support/signaling.mjs';
import { until } from '../support/until.mjs';
import { rounded } from './report.mjs';

const scriptOf = (name) => readFileSync(new URL(`../support/${name}`, import.meta.url), 'utf8');
const FACES = 10;
const DOWN = 'rate=2M queue=300ms latency=20ms';
/** Three sizes, of which the second is 360 lines. */
const MATCH = { codec: 'H264', width: 1280, height: 720, rate: 15, grain: 0.15, voice: 1_000 };
const SECOND_LINES = 360;
/** As `lib/encodings.ts` asks of a camera of 360 lines. */
const FACE = { width: 640, height: 360, rate: 10 };
const ENCODINGS = [{ rid: 'l', scaleResolutionDownBy: 2, maxBitrate: 160_000 }, { rid: 'm', scaleResolutionDownBy: 1, maxBitrate: 650_000 }];
/** The match finds its size first, then everybody comes, then it is looked at. */
const [BEFORE_MS, MEASURED_MS] = [15_000, 40_000];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The page's media goes by the relay at `port`: it has a port for each of the server's. */
const byRelay = (server, port) => (message) => (message.type !== 'answer' ? message : {
  ...message,
  sdp: message.sdp.replace(/^(a=candidate:\S+ \d+ udp \d+ )\S+ (\d+)/gim, (_, head, own) => `${head}127.0.0.1 ${port + Number(own) - server.mediaPort}`)
    .replace(/^a=candidate:\S+ \d+ tcp .*\r?\n/gim, ''),
});

/** What has come since `before`. */
const since = (before, now) => now.map((entry) => {
  const was = before.find(({ key }) => key === entry.key);
  const less = (name) => entry[name] - (was?.[name] ?? 0);
  return { ...entry, bytes: less('bytes'), lost: less('lost'), packets: less('packets'), samples: less('samples'), concealed: less('concealed'), frames: less('frames'), freezes: less('freezes') };
});

export async function tenFaces(server, browser) {
  const watching = await launchChromium();
  const [air, seat] = [browser, watching].map((one) => new Stage({ server, browser: one }));
  const port = await Linksim.ports();
  const relay = await Linksim.start(server, port, ['--down', DOWN, '--up', 'latency=20ms', '--seed', '7']);
  try {
    const studio = await air.broadcast('Ten faces', MATCH);
    await studio.page.evaluate(() => globalThis.speak(true));
    const page = await seat.page(null, { scripts: [...CallPage.cameraOf('red', { width: 320, height: 180, rate: 5 }), scriptOf('received.js')] });
    let call = null;
    const redirect = byRelay(server, port);
    await betweenPageAndServer(page, (message) => {
      if (message.type === 'call_entered') call = message.call.id;
      return redirect(message);
    });
    await page.goto(`/sign-up?next=/watch/${studio.slug}`);
    await page.getByLabel('Name').fill('Watcher');
    await page.getByLabel('Email').fill(`watcher.${studio.slug}@example.org`);
    await page.getByLabel('Password', { exact: true }).fill('correct horse battery');
    await page.getByRole('button', { name: 'Create account' }).click();
    const watcher = new CallPage(page);
    await watcher.watch.moves();
    await watcher.begin();
    const invitation = new URL(await watcher.link()).searchParams.get('invitation');
    await watcher.press('Move the call');
    await page.getByRole('menuitemcheckbox', { name: /Show every face/ }).click();
    await pause(BEFORE_MS);

    const crowd = await air.page(null, { scripts: [scriptOf('call_crowd.js')] });
    // Any page of the server's that does nothing by itself.
    await crowd.goto('/readyz');
    const begun = await page.evaluate(() => performance.now());
    await crowd.evaluate((wishes) => globalThis.callCrowd.enter(wishes), { broadcast: studio.slug, call, invitation, count: FACES, face: FACE, encodings: ENCODINGS });
    await until('every voice', async () => (await page.locator('audio[data-voice]').count()) >= FACES, { within: 30_000 });
    await crowd.evaluate(() => globalThis.callCrowd.sending());
    await pause(2_000);
    const before = await page.evaluate(() => globalThis.received.counts());
    await pause(MEASURED_MS);
    const [now, shown, sent] = await Promise.all([
      page.evaluate(() => globalThis.received.counts()),
      page.evaluate((from) => globalThis.received.shown.filter(({ atMs }) => atMs >= from), begun),
      crowd.evaluate(() => globalThis.callCrowd.sending()),
    ]);
    const came = since(before, now);
    const sounds = came.filter(({ kind, packets }) => kind === 'audio' && packets > 0);
    const faces = came.filter(({ of, kind }) => of === 'face' && kind === 'video');
    const sum = (entries, name) => entries.reduce((all, entry) => all + entry[name], 0);
    const still = shown.slice(1).reduce((most, { atMs }, index) => Math.max(most, atMs - shown[index].atMs), 0);
    const voices = sounds.filter(({ of }) => of === 'voice');
    const bps = (entries) => rounded((sum(entries, 'bytes') * 8) / MEASURED_MS);
    return [
      { name: 'calls.faces.match.least', value: Math.min(...shown.map(({ height }) => height)), unit: 'lines', aim: SECOND_LINES, atLeast: true },
      { name: 'calls.faces.match.still', value: rounded(still), unit: 'ms', aim: 500 },
      { name: 'calls.faces.match.rate', value: bps(came.filter(({ of, kind }) => of === 'match' && kind === 'video')), unit: 'kbit/s' },
      { name: 'calls.faces.voices', value: voices.length, unit: `of ${FACES}`, aim: FACES, atLeast: true },
      { name: 'calls.faces.sound.lost', value: sum(sounds, 'lost'), unit: 'packets', aim: 0 },
      { name: 'calls.faces.sound.packets', value: sum(sounds, 'packets'), unit: '' },
      { name: 'calls.faces.sound.made_up', value: rounded((sum(sounds, 'concealed') / Math.max(1, sum(sounds, 'samples'))) * 1_000), unit: 'permille' },
      { name: 'calls.faces.moving', value: faces.filter(({ frames }) => frames > MEASURED_MS / 1_000).length, unit: `of ${FACES}` },
      { name: 'calls.faces.rate', value: bps(faces), unit: 'kbit/s' },
      { name: 'calls.faces.sent.fps', value: rounded(sent.leastFps), unit: 'slowest' },
    ];
  } finally {
    await Promise.all([air.clear(), seat.clear()]);
    await watching.close();
    await relay.stop();
  }
}
