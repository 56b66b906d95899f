import { expect, test } from 'vitest';
import type { BroadcastView } from '../protocol';
import { chooseHero } from './live_list';

const broadcast = (id: string, viewers: number) => ({ id, viewers }) as BroadcastView;

test('the largest audience is shown large', () => {
  expect(chooseHero([broadcast('a', 3), broadcast('b', 9)], null)?.id).toBe('b');
  expect(chooseHero([], null)).toBeNull();
});

test('the one shown stays while another is only a little ahead, and gives way to a clear lead', () => {
  expect(chooseHero([broadcast('a', 100), broadcast('b', 110)], 'a')?.id).toBe('a');
  expect(chooseHero([broadcast('a', 100), broadcast('b', 121)], 'a')?.id).toBe('b');
  expect(chooseHero([broadcast('a', 0), broadcast('b', 1)], 'a')?.id).toBe('a');
  expect(chooseHero([broadcast('b', 1)], 'a')?.id).toBe('b');
});
