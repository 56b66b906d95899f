import { expect, test } from 'vitest';
import { pathOf, placeOf } from './router';

test('every address names one place, with or without a closing slash', () => {
  expect(['/', '/studio', '/studio/', '/watch/derby-2', '/watch/derby-2/', '/watch/derby-2/chat'].map((path) => placeOf(path))).toEqual([
    { kind: 'home' }, { kind: 'studio' }, { kind: 'studio' }, { kind: 'watch', slug: 'derby-2' }, { kind: 'watch', slug: 'derby-2' },
    { kind: 'chat', slug: 'derby-2' },
  ]);
});

test('what cannot be a slug is nowhere', () => {
  for (const path of ['/watch', '/watch/', '/watch/Derby', `/watch/${'a'.repeat(65)}`, '/watch/a/b', '/replays', '/account/else', '/sign-in/x', '/friends/A-b', '/friends/a/b']) expect(placeOf(path)).toEqual({ kind: 'nowhere' });
});

test('addresses and places are each other\'s inverse', () => {
  const plain = (['sign_in', 'sign_up', 'forgot', 'account', 'verify', 'reset'] as const).map((kind) => ({ kind }));
  const others = [
    { kind: 'home' }, { kind: 'studio' }, { kind: 'watch', slug: 'final' }, { kind: 'chat', slug: 'final' },
    { kind: 'friends', person: null }, { kind: 'friends', person: '0ann' },
  ] as const;
  for (const place of [...plain, ...others]) expect(placeOf(pathOf(place))).toEqual(place);
});

test('the addresses that letters and the server name lead where they should', () => {
  expect(['/account/verify', '/account/reset', '/sign-in', '/account/'].map((path) => placeOf(path).kind)).toEqual(['verify', 'reset', 'sign_in', 'account']);
});
