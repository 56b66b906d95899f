import { afterEach, expect, test, vi } from 'vitest';
import { callLink, keepCallInAddress, takeCallLink } from './address';

afterEach(() => vi.unstubAllGlobals());

function at(href: string): { href: string } {
  const page = { href };
  vi.stubGlobal('location', page);
  vi.stubGlobal('history', { state: null, replaceState: (_: unknown, __: string, url: URL) => { page.href = url.href; } });
  return page;
}

test('an invitation is read once and leaves the address, the call stays', () => {
  const page = at('https://c.test/watch/derby?call=abc&invitation=s3cret');
  expect(takeCallLink()).toEqual({ call: 'abc', invitation: 's3cret' });
  expect(page.href).toBe('https://c.test/watch/derby?call=abc');
  expect(takeCallLink()).toEqual({ call: 'abc', invitation: null });
  keepCallInAddress(null);
  expect(page.href).toBe('https://c.test/watch/derby');
  expect(takeCallLink()).toBeNull();
  keepCallInAddress('xyz');
  expect(page.href).toBe('https://c.test/watch/derby?call=xyz');
});

test('a link leads to the match and into the call, and nothing else of the address goes along', () => {
  expect(callLink('https://c.test/watch/derby?call=old&at=5#top', 'abc', 's/1')).toBe('https://c.test/watch/derby?call=abc&invitation=s%2F1');
  expect(callLink('https://c.test/watch/derby?token=t', 'abc', 's')).toBe('https://c.test/watch/derby?token=t&call=abc&invitation=s');
});
