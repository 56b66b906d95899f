// Chromium as the tests want it: headless, fake microphone, nothing phoned home, no throttling of pages that are not in front.
import { chromium } from 'playwright-core';

const ARGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync',
  // Several pages play at once and none may be slowed down for being behind another.
  '--disable-background-timer-throttling', '--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding',
];
const FAKE_DEVICES = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];
/** A page may take what its own tab shows and plays. Fake devices would stand in for that, so there are none: pages must bring their own. */
const OWN_TAB = ['--auto-accept-this-tab-capture'];
const FREE_AUTOPLAY = '--autoplay-policy=no-user-gesture-required';
const STRICT_AUTOPLAY = '--autoplay-policy=document-user-activation-required';

/** `autoplay`: `free`, or `strict` as in a browser that has not seen the site before. The profile is fresh and temporary.
 * `capturesTab`: for pages that measure what they themselves play. */
export function launchChromium({ autoplay = 'free', capturesTab = false } = {}) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...ARGS, ...(capturesTab ? OWN_TAB : FAKE_DEVICES), autoplay === 'free' ? FREE_AUTOPLAY : STRICT_AUTOPLAY],
    ignoreDefaultArgs: ['--mute-audio'],
  });
}
