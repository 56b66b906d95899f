import { expect, test } from 'vitest';
import { isEmojiOnly, piecesOf } from './pieces';

const links = (text: string) => piecesOf(text).flatMap((piece) => (piece.kind === 'link' ? [piece.href] : []));

test('text that looks like markup stays text', () => {
  expect(piecesOf('<img src=x onerror=alert(1)> & <b>')).toEqual([{ kind: 'text', text: '<img src=x onerror=alert(1)> & <b>' }]);
});

test('only http and https become links, without the punctuation of the sentence', () => {
  expect(links('see https://a.example/x?y=1, and (http://b.example).')).toEqual(['https://a.example/x?y=1', 'http://b.example/']);
  for (const text of ['javascript:alert(1)', 'data:text/html,x', 'https://', 'ftp://a.example', 'https://bank.example@evil.example', 'www.a.example']) {
    expect(links(text), text).toEqual([]);
  }
  expect(piecesOf('a https://x.example! b').map((piece) => (piece.kind === 'emoji' ? '' : piece.text)).join('')).toBe('a https://x.example! b');
});

test('names that are addressed are found whole, the longest first, whatever their letters', () => {
  const named = [{ name: 'Noor', me: false }, { name: 'Noor (B)', me: true }];
  expect(piecesOf('@noor and @Noor (B) not @Noora', named)).toEqual([
    { kind: 'mention', text: '@noor', me: false },
    { kind: 'text', text: ' and ' },
    { kind: 'mention', text: '@Noor (B)', me: true },
    { kind: 'text', text: ' not @Noora' },
  ]);
  expect(piecesOf('@Noor')).toEqual([{ kind: 'text', text: '@Noor' }]);
});

test('emoji with a drawing are pieces of their own, others stay text', () => {
  expect(piecesOf('go ⚽🦄❤').map((piece) => (piece.kind === 'emoji' ? piece.emoji.id : piece.kind === 'text' ? piece.text : ''))).toEqual(['go ', '26bd', '🦄', '2764']);
  expect(isEmojiOnly(piecesOf('🔥 🔥'), 3)).toBe(true);
  expect(isEmojiOnly(piecesOf('🔥🔥🔥🔥'), 3)).toBe(false);
  expect(isEmojiOnly(piecesOf('hot 🔥'), 3)).toBe(false);
});
