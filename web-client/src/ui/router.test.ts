import { expect, test } from 'vitest';
import { pathOf, placeOf } from './router';

test('every address names one place, with or without a closing slash', () => {
  expect(['/', '/studio', '/studio/', '/watch/derby-2', '/watch/derby-2/', '/watch/derby-2/chat'].map((path) => placeOf(path))).toEqual([
    { kind: 'home' }, { kind: 'studio' }, { kind: 'studio' }, { kind: 'watch', slug: 'derby-2' }, { kind: 'watch', slug: 'derby-2' },
    { kind: 'chat', slug: 'derby-2' },
  ]);
});

test('what cannot be a slug is nowhere', () => {
  for (const path of ['/watch', '/watch/', '/watch/Derby', `/watch/${'a'.repeat(65)}`, '/watch/a/b', '/replays']) expect(placeOf(path)).toEqual({ kind: 'nowhere' });
});

test('addresses and places are each other\'s inverse', () => {
  for (const place of [{ kind: 'home' }, { kind: 'studio' }, { kind: 'watch', slug: 'final' }, { kind: 'chat', slug: 'final' }] as const) expect(placeOf(pathOf(place))).toEqual(place);
});
