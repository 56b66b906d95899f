// A page of the tests' own in which hls.js plays, and which keeps what player and element say.
import { createRequire } from 'node:module';

const HLS_JS = createRequire(import.meta.url).resolve('hls.js/dist/hls.min.js');

/** A page that plays `url`. `options`: hls.js's own. */
export async function playHls(stage, url, options = {}) {
  const page = await stage.page(null);
  // At the server's address: ours allow no script but their own.
  const address = `${stage.server.url}/player.html`;
  await page.route(address, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><video muted playsinline autoplay></video>' }));
  await page.goto(address);
  await page.addScriptTag({ path: HLS_JS });
  await page.evaluate(([source, wishes]) => {
    const video = document.querySelector('video');
    const player = new globalThis.Hls({ lowLatencyMode: true, enableWorker: false, ...wishes });
    globalThis.heard = { fatal: [], errors: [], stalls: 0 };
    player.on(globalThis.Hls.Events.ERROR, (_, { fatal, details, error, response }) => {
      (fatal ? globalThis.heard.fatal : globalThis.heard.errors).push(`${details} ${error?.message ?? ''} ${response?.code ?? ''}`);
    });
    video.addEventListener('playing', () => {
      globalThis.heard.began ??= performance.now();
    });
    video.addEventListener('waiting', () => {
      if (globalThis.heard.began) globalThis.heard.stalls += 1;
    });
    player.loadSource(source);
    player.attachMedia(video);
    globalThis.player = player;
  }, [url, options]);
  return page;
}

export const heard = (page) => page.evaluate(() => globalThis.heard);
