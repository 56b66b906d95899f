// The places as a person uses them: by names and roles of what is on the page. The words are the interface's own (`web-client/src/words.ts`).
import { until } from './until.mjs';

/** The way that a page's media takes now: protocol and type of its own candidate, transport to the TURN server, address of the server. */
const pathOf = (page) => page.evaluate(async () => {
  for (const connection of [...globalThis.connections].reverse()) {
    if (connection.connectionState === 'closed') continue;
    const report = await connection.getStats();
    const transport = [...report.values()].find(({ type }) => type === 'transport');
    const pair = report.get(transport?.selectedCandidatePairId);
    if (!pair) continue;
    const { protocol, candidateType, relayProtocol } = report.get(pair.localCandidateId);
    return { protocol, type: candidateType, relayProtocol, remote: report.get(pair.remoteCandidateId)?.address };
  }
  return {};
});

export class WatchPage {
  constructor(page) {
    this.page = page;
  }

  get player() {
    return this.page.getByRole('region', { name: 'Match player' });
  }

  /** Which engine's picture is in front: `webrtc` or `hls`; `null` before there is a player. */
  async engine() {
    return this.page.evaluate(() => {
      const video = globalThis.pictureInFront();
      return video && (video.srcObject ? 'webrtc' : 'hls');
    });
  }

  /** Waits until the picture of `engine` is in front. */
  async isBy(engine, { within = 15_000 } = {}) {
    await until(`the picture to come by ${engine}`, async () => (await this.engine()) === engine, { within });
  }

  /** From now on `stood` knows the longest that the picture stands still, as a person would see it. */
  async timeStills() {
    await this.page.evaluate(() => {
      const video = globalThis.pictureInFront();
      globalThis.watched = { video, last: performance.now(), longest: 0 };
      const look = (now) => {
        globalThis.watched.longest = Math.max(globalThis.watched.longest, now - globalThis.watched.last);
        globalThis.watched.last = now;
        video.requestVideoFrameCallback(look);
      };
      video.requestVideoFrameCallback(look);
    });
  }

  /** Since `timeStills`, ms, and whether it is still the same element. */
  async stood() {
    return this.page.evaluate(() => ({ longest: globalThis.watched.longest, same: globalThis.watched.video === globalThis.pictureInFront() }));
  }

  /** What the counter in the picture says now, and how large the frame is. */
  async look() {
    return this.page.evaluate(() => {
      const video = globalThis.pictureInFront();
      return video && { counter: globalThis.barcode.read(video), width: video.videoWidth, height: video.videoHeight };
    });
  }

  /** Resolves once the picture has shown `steps` different readable counters from now on: it really moves. */
  async moves({ steps = 5, within = 15_000 } = {}) {
    const seen = new Set();
    await until('the picture to move', async () => {
      const now = await this.look();
      if (now?.counter != null) seen.add(now.counter);
      return seen.size > steps ? true : void 0;
    }, { within });
  }

  /** Milliseconds between drawing and reading of the picture now on screen; only a picture of this machine's clock. */
  async age() {
    return this.page.evaluate(() => {
      const counter = globalThis.barcode.read(globalThis.pictureInFront());
      return counter === null ? null : globalThis.barcode.age(counter);
    });
  }

  /** Receive statistics of the peer that shows the picture, of one kind. */
  async inbound(kind) {
    return this.page.evaluate(async (wanted) => {
      const found = [];
      for (const connection of globalThis.connections) {
        if (connection.connectionState !== 'connected') continue;
        for (const entry of (await connection.getStats()).values()) {
          if (entry.type === 'inbound-rtp' && entry.kind === wanted && entry.packetsReceived > 0) found.push({ ...entry });
        }
      }
      return found.at(-1) ?? {};
    }, kind);
  }

  /** See `pathOf`. */
  path() {
    return pathOf(this.page);
  }

  /** Words that lie over the picture. */
  async says(text, { within = 10_000 } = {}) {
    await this.player.getByRole('heading', { name: text }).waitFor({ timeout: within });
  }

  /** Waits for the choice in the open menu: a size comes when the publisher's browser has found the bandwidth for it. */
  async chooseQuality(name) {
    await this.page.mouse.move(640, 300);
    await this.player.getByRole('button', { name: 'Quality and settings' }).click();
    // From its beginning: "Auto" names the size it has chosen, too.
    await this.page.getByRole('menuitemradio', { name: new RegExp(`^${name}`) }).click({ timeout: 30_000 });
  }

  /** How the picture is to get here, chosen in the menu. */
  async chooseTransport(name) {
    await this.page.mouse.move(640, 300);
    await this.player.getByRole('button', { name: 'Quality and settings' }).click();
    await this.page.getByRole('menuitem', { name: /^Transport/ }).click();
    await this.page.getByRole('menuitemradio', { name: new RegExp(`^${name}`) }).click();
  }

  async qualities() {
    await this.page.mouse.move(640, 300);
    await this.player.getByRole('button', { name: 'Quality and settings' }).click();
    // The menu's code comes when it is opened.
    const choices = this.page.getByRole('menuitemradio');
    await choices.first().waitFor();
    const names = await choices.allInnerTexts();
    await this.page.keyboard.press('Escape');
    return names;
  }

  /** Waits for frames of this width. */
  async showsWidth(width, { within = 15_000 } = {}) {
    await until(`frames ${width} pixels wide`, async () => {
      const now = await this.look();
      return now?.width === width && now.counter !== null ? now : void 0;
    }, { within });
  }
}

export class StudioPage {
  slug = null;

  constructor(page, server) {
    this.page = page;
    this.server = server;
  }

  get goLiveButton() {
    return this.page.getByRole('main').getByRole('button', { name: 'Go live' });
  }

  async goLive(title) {
    await this.page.getByLabel('Title').fill(title);
    await this.goLiveButton.click();
    await this.isLive();
    const { slug, id } = await this.own();
    this.slug = slug;
    this.id = id;
  }

  /** What this tab keeps of its broadcast across reloads. */
  async own() {
    return this.page.evaluate(() => JSON.parse(sessionStorage.getItem('courtside.studio') ?? '{}'));
  }

  /** See `pathOf`. */
  path() {
    return pathOf(this.page);
  }

  async isLive({ within = 15_000 } = {}) {
    await this.page.getByRole('main').getByText('LIVE', { exact: true }).waitFor({ timeout: within });
  }

  /** The sizes that are sent, as the page lists them: `720p · 360p`. */
  async sends(wanted, { within = 40_000 } = {}) {
    const sizes = this.page.locator('summary', { hasText: 'Sizes on air' });
    await until(`${wanted} on air`, async () => (await sizes.innerText()).replace('Sizes on air', '').trim() === wanted, { within });
  }

  async end() {
    await this.page.getByRole('button', { name: 'End broadcast' }).first().click();
    await this.page.getByRole('dialog').getByRole('button', { name: 'End broadcast' }).click();
  }
}
