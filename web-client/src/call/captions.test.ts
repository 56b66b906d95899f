import { expect, test } from 'vitest';
import { Captions } from './captions';

test('nothing is shown until it is turned on', () => {
  const captions = new Captions();
  captions.say(2, 'what a goal', 0);
  expect(captions.lines.value.size).toBe(0);
  captions.isOn.value = true;
  captions.say(2, '  what \n a goal ', 0);
  expect(captions.lines.value.get(2)?.text).toBe('what a goal');
});

test('of a long speech the last words that fit are shown, whole', () => {
  const captions = new Captions();
  captions.isOn.value = true;
  captions.say(2, Array.from({ length: 40 }, (_, index) => `word${index}`).join(' '), 0);
  const text = captions.lines.value.get(2)?.text ?? '';
  expect(text.length).toBeLessThanOrEqual(80);
  expect(text).toMatch(/^word\d+ .*word39$/);
  captions.say(2, 'x'.repeat(500), 0);
  expect(captions.lines.value.get(2)?.text).toHaveLength(80);
});

test('words go some seconds after the last of them, with whoever said them, and when it is turned off', () => {
  const captions = new Captions();
  captions.isOn.value = true;
  captions.say(2, 'offside', 0);
  captions.say(3, 'never', 4_000);
  captions.forget(5_999, new Set([2, 3]));
  expect([...captions.lines.value.keys()]).toEqual([2, 3]);
  captions.forget(6_000, new Set([2, 3]));
  expect([...captions.lines.value.keys()]).toEqual([3]);
  captions.forget(6_000, new Set([2]));
  expect(captions.lines.value.size).toBe(0);
  captions.say(3, 'no', 6_000);
  captions.say(3, '', 6_000);
  expect(captions.lines.value.size).toBe(0);
  captions.say(3, 'no', 6_000);
  captions.isOn.value = false;
  captions.forget(6_000, new Set([3]));
  expect(captions.lines.value.size).toBe(0);
});
