import { expect, test } from 'vitest';
import { deviceName, isHandheld } from './device_name';

test('browsers that call themselves by each other\'s names are told apart', () => {
  expect([
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0',
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1',
    'Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0',
  ].map(deviceName)).toEqual(['Edge on Windows', 'Chrome on Linux', 'Safari on Mac', 'Chrome on iPhone', 'Firefox on Android']);
});

test('what is not known is shown as it is, and nothing is no name', () => {
  expect(['curl/8.9', '', '  ', 'x'.repeat(200)].map(deviceName)).toEqual(['curl/8.9', null, null, 'x'.repeat(60)]);
});

test('what is held in a hand has its own icon', () => {
  expect(['… Android 15; Mobile …', '… Windows NT …'].map(isHandheld)).toEqual([true, false]);
});
