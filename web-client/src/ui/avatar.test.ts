import { expect, test } from 'vitest';
import { initialsOf, pictureUrl } from './Avatar';

test('initials are of the first and the last word, in any script', () => {
  expect(['Ann of Green Gables', 'lena.k', 'Noor', '  ', '🦦 otter', 'émile'].map(initialsOf)).toEqual(['AG', 'LK', 'N', '', '🦦O', 'É']);
});

test('a picture has an address once there is one', () => {
  expect(pictureUrl({ id: 'a', name: 'Ann', picture_version: 0 })).toBeNull();
  expect(pictureUrl({ id: 'a', name: 'Ann', picture_version: 4 })).toBe('/api/v1/users/a/picture?v=4');
});
