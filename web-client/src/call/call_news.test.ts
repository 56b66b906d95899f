import { expect, test } from 'vitest';
import { newsOf } from './call_news';
import { callOf, member } from './fake_session';

test('who comes and goes is news, oneself is not, and whoever comes back under another number has not left', () => {
  const before = callOf([member(1), member(2), member(3)]);
  const now = callOf([member(1), member(3), member(4, { user: 'user2' }), member(5)]);
  expect(newsOf(before, now, 1)).toEqual([{ kind: 'joined', name: 'Name 4' }, { kind: 'joined', name: 'Name 5' }]);
  expect(newsOf(before, callOf([member(1), member(3)]), 1)).toEqual([{ kind: 'left', name: 'Name 2' }]);
  expect(newsOf(before, callOf([member(2), member(3)]), 1)).toEqual([]);
});

test('whoever was rung and neither comes nor is rung any more is told, and so is a new host', () => {
  const before = callOf([member(1), member(2)], { host: 2, ringing: [{ user: 'user3', name: 'Ben' }, { user: 'user4', name: 'Cy' }] });
  const now = callOf([member(1), member(2), member(4)], { host: 1 });
  expect(newsOf(before, now, 1)).toEqual([{ kind: 'joined', name: 'Name 4' }, { kind: 'absent', name: 'Ben' }, { kind: 'hosting' }]);
});
