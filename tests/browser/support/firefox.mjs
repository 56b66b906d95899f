// Firefox by WebDriver BiDi: fake camera and microphone, no questions, no throttling. Pages get the same scripts as in Chromium.
import puppeteer from 'puppeteer-core';
import { BARCODE, CAMERA, CONNECTIONS } from './scenario.mjs';

const PREFERENCES = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.peerconnection.ice.loopback': true,
  'media.autoplay.default': 0,
  'media.gmp-manager.updateEnabled': false,
  'dom.min_background_timeout_value': 4,
  'dom.timeout.enable_budget_timer_throttling': false,
  'app.update.auto': false,
  'browser.safebrowsing.update.enabled': false,
};

export function launchFirefox() {
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    headless: true,
    extraPrefsFirefox: PREFERENCES,
    args: ['--width=1280', '--height=800'],
  });
}

/** A page with the scripts of the tests in it; with `wishes`, its camera is the drawn one. */
export async function firefoxPage(browser, wishes = null) {
  const page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  const scripts = [BARCODE, CONNECTIONS, ...(wishes ? [`globalThis.cameraWishes = ${JSON.stringify(wishes)};`, CAMERA] : [])];
  for (const script of scripts) await page.evaluateOnNewDocument(script);
  page.on('dialog', (dialog) => void dialog.accept().catch(() => undefined));
  return page;
}
