import { afterEach, expect, test, vi } from 'vitest';
import { hearMoment, tellMoment } from './moment_link';

afterEach(() => vi.useRealTimers());

test('the moment on one page is known to the other, and forgotten with it', async () => {
  const page = new AbortController();
  const window = new AbortController();
  const heard = hearMoment('final', window.signal);
  expect(heard(performance.now())).toBeUndefined();
  expect(heard(performance.now() + 2_000)).toBeNull();
  tellMoment('final', () => 1_700_000_000_000, page.signal);
  await expect.poll(() => heard(performance.now())).toBe(1_700_000_000_000);
  expect(hearMoment('other', window.signal)(performance.now())).toBeUndefined();
  page.abort();
  expect(heard(performance.now() + 2_000)).toBeNull();
  window.abort();
});
