import { expect, test } from 'vitest';
import { broadcastOf, personOf } from './invitation';

const jwt = (claims: object) => `e30.${btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(claims)))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}.c2ln`;

test('an invitation names its broadcast, or none', () => {
  expect(broadcastOf(jwt({ sub: '1', broadcast: 'cup-final', name: 'Zoë?>' }))).toBe('cup-final');
  expect(broadcastOf(jwt({ sub: '1' }))).toBeNull();
});

test('what is no token of ours names none', () => {
  for (const text of ['', 'abc', 'a.b.c', 'e30.bnVsbA.x', jwt({ broadcast: 7 })]) expect(broadcastOf(text)).toBeNull();
});

test('a token names its bearer as others will see them', () => {
  expect(personOf(jwt({ sub: '1', name: 'Zoë?>', guest: true }))).toEqual({ id: '1', name: 'Zoë?>', guest: true });
  expect(personOf(jwt({ sub: '1', name: 'Zoë' }))?.guest).toBe(false);
  for (const text of ['', 'e30.bnVsbA.x', jwt({ sub: 1, name: 'x' })]) expect(personOf(text)).toBeNull();
});
