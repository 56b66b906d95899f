import { expect, test } from 'vitest';
import { nextPath } from './next_path';

test('one goes on to a place of this site', () => {
  expect(['?next=/watch/final', '?next=%2Fwatch%2Ffinal%3Ftoken%3Dx', '?next=/account', ''].map(nextPath)).toEqual([
    '/watch/final', '/watch/final?token=x', '/account', '/',
  ]);
});

test('nobody is led to another site or round in circles', () => {
  for (const search of ['?next=https://evil.example', '?next=//evil.example', '?next=/\\evil.example', '?next=javascript:alert(1)', '?next=/sign-in', '?next=/nowhere']) {
    expect(nextPath(search)).toBe('/');
  }
});
