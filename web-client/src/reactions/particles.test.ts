import { expect, test } from 'vitest';
import { Particles, RISE_MS, RISING_MAX, share } from './particles';

const half = (): number => 0.5;

test('a few taps are as many drawings', () => {
  const particles = new Particles();
  particles.add([{ kind: 'fire', count: 3 }, { kind: 'goal', count: 2 }], 0, half);
  expect(particles.at(300, 1_000, 500)).toHaveLength(5);
  expect(particles.at(300, 1_000, 500).every(({ count }) => count === 1)).toBe(true);
});

test('many taps share the places in proportion and none is swallowed', () => {
  const parts = share([{ kind: 'heart', count: 30 }, { kind: 'fire', count: 300_000 }, { kind: 'goal', count: 100_000 }], RISING_MAX);
  expect(parts.map(({ kind, parts: each }) => [kind, each.length])).toEqual([['fire', 18], ['goal', 5], ['heart', 1]]);
  expect(parts.map(({ parts: each }) => each.reduce((sum, count) => sum + count, 0))).toEqual([300_000, 100_000, 30]);
  const particles = new Particles();
  for (let burst = 0; burst < 50; burst++) particles.add([{ kind: 'fire', count: 5_000 }], burst, half);
  expect(particles.at(400, 1_000, 500)).toHaveLength(RISING_MAX);
  expect(particles.at(400, 1_000, 500).reduce((sum, { count }) => sum + count, 0)).toBe(250_000);
});

test('they rise on the right within the lower half and are gone in time', () => {
  const particles = new Particles();
  let seed = 1;
  const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
  particles.add([{ kind: 'clap', count: RISING_MAX }], 0, random);
  for (let ms = 0; ms <= RISE_MS; ms += 50) {
    for (const { x, y, size, opacity } of particles.at(ms, 1_000, 500)) {
      expect(x - size / 2).toBeGreaterThan(1_000 * 0.78);
      expect(x + size / 2).toBeLessThanOrEqual(1_000);
      expect(y).toBeGreaterThan(500 * 0.35);
      expect(opacity).toBeGreaterThan(0);
    }
  }
  expect(particles.at(RISE_MS + 250, 1_000, 500)).toEqual([]);
  expect([particles.isDone(0), particles.isDone(RISE_MS + 250)]).toEqual([false, true]);
});
