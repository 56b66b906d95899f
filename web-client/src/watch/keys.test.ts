import { expect, test } from 'vitest';
import { words } from '../words';
import { actionOf, stepOf } from './keys';

const press = (key: string, held: Partial<Record<'ctrlKey' | 'altKey' | 'metaKey', boolean>> = {}) => ({ key, ctrlKey: false, altKey: false, metaKey: false, ...held });

test('keys work on the page in either case', () => {
  expect([' ', 'k', 'K', 'm', 'End', '?'].map((key) => actionOf(press(key), 'page'))).toEqual(['play', 'play', 'play', 'mute', 'live', 'list']);
});

test('nothing happens while typing, in a dialog, or with a modifier held', () => {
  expect(actionOf(press('m'), 'text')).toBeNull();
  expect(actionOf(press('m'), 'modal')).toBeNull();
  expect(actionOf(press('f', { ctrlKey: true }), 'page')).toBeNull();
});

test('a focused button keeps Space and a slider keeps its arrows', () => {
  expect(actionOf(press(' '), 'button')).toBeNull();
  expect(actionOf(press('Enter'), 'button')).toBeNull();
  expect(actionOf(press('m'), 'button')).toBe('mute');
  expect(actionOf(press('ArrowUp'), 'slider')).toBeNull();
});

test('every key of the list does something', () => {
  const typed: Record<string, string> = { Space: ' ', Esc: 'Escape', '↑': 'ArrowUp', '↓': 'ArrowDown', '←': 'ArrowLeft', '→': 'ArrowRight' };
  for (const [keys] of words.shortcuts.list) for (const key of keys) expect(actionOf(press(typed[key] ?? key), 'page'), key).not.toBeNull();
});

test('arrows move by five seconds, J and L by ten, and nothing else moves', () => {
  const steps = ['ArrowLeft', 'ArrowRight', 'j', 'L', 'Home', 'm'].map((key) => stepOf(actionOf(press(key), 'page') ?? 'close'));
  expect(steps).toEqual([-5_000, 5_000, -10_000, 10_000, null, null]);
});
