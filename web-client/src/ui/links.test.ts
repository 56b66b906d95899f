import { expect, test } from 'vitest';
import { splitLinks } from './links';

const HERE = 'https://sport.example';

test('an address becomes a link, what ends the sentence does not', () => {
  expect(splitLinks('look (https://other.example/a?b=1)!', HERE)).toEqual([
    { kind: 'text', text: 'look (' },
    { kind: 'link', text: 'https://other.example/a?b=1', href: 'https://other.example/a?b=1', here: false },
    { kind: 'text', text: ')!' },
  ]);
});

test('a match of this site stays within the page', () => {
  expect(splitLinks('https://sport.example/watch/final', HERE)).toEqual([{ kind: 'link', text: 'https://sport.example/watch/final', href: '/watch/final', here: true }]);
});

test('everything else is text', () => {
  for (const text of ['', 'just words', 'javascript:alert(1)', 'https://sport.example@evil.example/', 'http://', '<a href="x">']) {
    expect(splitLinks(text, HERE).filter(({ kind }) => kind === 'link')).toEqual([]);
    expect(splitLinks(text, HERE).map((piece) => piece.text).join('')).toBe(text);
  }
});
