import { expect, test } from 'vitest';
import { TAPS_MAX, Taps, Totals } from './taps';

test('taps are merged by kind and leave once', () => {
  const taps = new Taps();
  taps.add('fire');
  taps.add('goal');
  taps.add('fire');
  expect(taps.take()).toEqual([{ kind: 'fire', count: 2 }, { kind: 'goal', count: 1 }]);
  expect(taps.take()).toEqual([]);
  for (let tap = 0; tap < TAPS_MAX; tap++) expect(taps.add('fire')).toBe(true);
  expect(taps.add('fire')).toBe(false);
});

test('what is drawn is the difference, less the own taps', () => {
  const totals = new Totals();
  totals.start([{ kind: 'fire', count: 1_000 }]);
  totals.tapped('fire', 0);
  totals.tapped('fire', 0);
  expect(totals.grew([{ kind: 'fire', count: 1_001 }], 100)).toEqual([]);
  expect(totals.grew([{ kind: 'fire', count: 1_010 }, { kind: 'goal', count: 3 }], 200)).toEqual([{ kind: 'fire', count: 8 }, { kind: 'goal', count: 3 }]);
  expect(totals.of('fire')).toBe(1_010);
});

test('a lost frame loses nothing, an old one counts nothing, a lost own tap hides nobody’s for long', () => {
  const totals = new Totals();
  expect(totals.grew([{ kind: 'clap', count: 5 }], 0)).toEqual([{ kind: 'clap', count: 5 }]);
  expect(totals.grew([{ kind: 'clap', count: 4 }], 0)).toEqual([]);
  totals.tapped('clap', 0);
  expect(totals.grew([{ kind: 'clap', count: 7 }], 6_000)).toEqual([{ kind: 'clap', count: 2 }]);
});
