// One test: its pages are closed when it ends; when it fails it leaves screenshots, the pages' consoles and the server's last words.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { OUT } from './server.mjs';
import { StudioPage, WatchPage } from './places.mjs';

const scriptOf = (name) => readFileSync(fileURLToPath(new URL(name, import.meta.url)), 'utf8');
export const BARCODE = scriptOf('barcode.js');
export const CONNECTIONS = scriptOf('connections.js');
export const CAMERA = scriptOf('camera.js');
export const SOCKETS = scriptOf('sockets.js');

const TEST_LIMIT_MS = 60_000;
const CONSOLE_KEPT = 60;

/** `find` returns `{ server, browser }` when the test starts: suites fill them in `before`. */
export function scenarios(find) {
  return (name, body, { timeout = TEST_LIMIT_MS } = {}) => test(name, { timeout }, async () => {
    const stage = new Stage(find());
    try {
      await body(stage);
    } catch (thrown) {
      await stage.report(name);
      throw thrown;
    } finally {
      await stage.clear();
    }
  });
}

export class Stage {
  out = OUT;
  #contexts = [];
  #consoles = [];

  constructor({ server, browser }) {
    this.server = server;
    this.browser = browser;
  }

  /** A page of a visitor of its own. `context`: Playwright's options. */
  async page(path, { context = {}, scripts = [], browser = this.browser, server = this.server } = {}) {
    const own = await browser.newContext({ baseURL: server.url, viewport: { width: 1280, height: 800 }, ...context });
    this.#contexts.push(own);
    for (const content of [BARCODE, CONNECTIONS, ...scripts]) await own.addInitScript({ content });
    const page = await own.newPage();
    page.setDefaultTimeout(10_000);
    const number = this.#contexts.length;
    const keep = (line) => {
      this.#consoles.push(`page ${number}: ${line}`);
      if (this.#consoles.length > CONSOLE_KEPT) this.#consoles.shift();
    };
    page.on('console', (message) => keep(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => keep(`uncaught: ${error.stack ?? error.message}`));
    // The Studio asks before it is left; a person who reloads means it.
    page.on('dialog', (dialog) => void dialog.accept().catch(() => undefined));
    if (path) await page.goto(path);
    return page;
  }

  /** The Studio with a drawn camera, before going live. `wishes`: width, height, rate, codec, scalabilityMode, screen. `options.path`: another way in. */
  async studio(wishes = {}, { path = '/studio', scripts = [], ...options } = {}) {
    const camera = [`globalThis.cameraWishes = ${JSON.stringify(wishes)};`, CAMERA];
    return new StudioPage(await this.page(path, { scripts: [...camera, ...scripts], ...options }), this.server);
  }

  /** A broadcast on air. */
  async broadcast(title, wishes = {}, options = {}) {
    const studio = await this.studio(wishes, options);
    await studio.goLive(title);
    return studio;
  }

  async watch(slug, options = {}) {
    return new WatchPage(await this.page(`/watch/${slug}${options.query ?? ''}`, options));
  }

  async report(name) {
    const stem = name.replace(/[^a-z0-9]+/gi, '-').toLowerCase();
    mkdirSync(OUT, { recursive: true });
    const pages = this.#contexts.flatMap((context) => context.pages());
    await Promise.all(pages.map((page, index) => page.screenshot({ path: join(OUT, `failed-${stem}-${index + 1}.png`), timeout: 3_000 }).catch(() => undefined)));
    console.error(`--- ${name}: pages said\n${this.#consoles.join('\n')}\n--- server said\n${this.server.logTail}`);
  }

  async clear() {
    await Promise.all(this.#contexts.map((context) => context.close().catch(() => undefined)));
    this.#contexts = [];
  }
}
