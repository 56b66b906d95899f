// Joining: from the click on a match at Home, and from opening its link in a fresh browser profile, to the first frame on the screen.
//
//   join.mjs [--json] [--joins=25]
import { launchChromium } from '../support/chromium.mjs';
import { Stage } from '../support/scenario.mjs';
import { Server } from '../support/server.mjs';
import { machine, numberOption, print, quantile, rounded } from './report.mjs';

const joins = numberOption('joins', 25);

/** In the page: notes the click that leads to the match, and resolves `firstFrame` at the display of the player's first frame. */
const WATCH_FIRST_FRAME = `
  globalThis.clickedAt = 0;
  addEventListener('click', () => { globalThis.clickedAt = performance.now(); }, true);
  globalThis.firstFrame = new Promise((resolve) => {
    const looking = new MutationObserver(() => {
      const video = document.querySelector('.player video');
      if (!video) return;
      looking.disconnect();
      video.requestVideoFrameCallback((now, { expectedDisplayTime }) => resolve(Math.max(now, expectedDisplayTime) - globalThis.clickedAt));
    });
    looking.observe(document, { subtree: true, childList: true });
  });
`;

const server = await Server.start('bench-join');
const browsers = await Promise.all([launchChromium(), launchChromium()]);
const stage = new Stage({ server, browser: browsers[0] });
try {
  const studio = await stage.broadcast('Join', { width: 640, height: 360, rate: 30 });
  const visitors = new Stage({ server, browser: browsers[1] });
  const scripts = [WATCH_FIRST_FRAME];
  const clicks = [];
  const links = [];
  for (let join = 0; join < joins; join++) {
    const page = await visitors.page('/', { scripts });
    // As a person would: the preview moves, then comes the click.
    await page.locator('video.preview.moving').waitFor();
    await page.getByRole('link', { name: 'Watch live' }).click();
    clicks.push(await page.evaluate('firstFrame'));
    await visitors.clear();
    const direct = await visitors.page(`/watch/${studio.slug}`, { scripts });
    links.push(await direct.evaluate('firstFrame'));
    await visitors.clear();
  }
  const conditions = `Chromium over loopback, 640x360 at 30, H264, ${joins} joins each, a fresh profile every time, ${machine()}`;
  const rows = (name, values, aim) => {
    const sorted = values.toSorted((a, b) => a - b);
    return [
      { name: `${name}.p50`, value: rounded(quantile(sorted, 0.5)), unit: 'ms', aim },
      { name: `${name}.p95`, value: rounded(quantile(sorted, 0.95)), unit: 'ms' },
      { name: `${name}.max`, value: rounded(sorted.at(-1)), unit: 'ms' },
    ];
  };
  print([...rows('join.click', clicks, 500), ...rows('join.link', links), { name: 'join.samples', value: clicks.length, unit: 'joins' }], conditions);
} finally {
  await stage.clear();
  await Promise.all(browsers.map((browser) => browser.close()));
  await server.remove();
}
