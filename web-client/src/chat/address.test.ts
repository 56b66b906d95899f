import { expect, test } from 'vitest';
import { type Someone, addressedIn, addressingAt, offersFor } from './address';

const person = (id: string, name: string): Someone => ({ id, name, role: 'viewer' });
const noor = person('1', 'Noor');
const otter = person('2', 'Quiet Otter 42');

test('an @ begins a name at the start of a word only', () => {
  expect(addressingAt('hi @no', 6)).toEqual({ from: 3, typed: 'no' });
  expect(addressingAt('@', 1)).toEqual({ from: 0, typed: '' });
  expect(addressingAt('@quiet ot', 9)).toEqual({ from: 0, typed: 'quiet ot' });
  expect(addressingAt('mail@no', 7)).toBeNull();
  expect(addressingAt('@noor yes', 3)).toEqual({ from: 0, typed: 'no' });
});

test('names are offered by their beginning, then by the beginning of a word', () => {
  expect(offersFor('o', [noor, otter, person('3', 'Oskar')]).map(({ id }) => id)).toEqual(['3', '2']);
  expect(offersFor('', [noor, otter])).toEqual([noor, otter]);
  expect(offersFor('noor yes', [noor])).toEqual([]);
});

test('who was chosen and taken out again is not addressed', () => {
  expect(addressedIn('hello @noor', [noor, otter, noor])).toEqual(['1']);
});
