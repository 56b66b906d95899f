import { expect, test } from 'vitest';
import { type LinkAction, type LinkReading, LinkWatch } from './link_watch';

const UP: LinkReading = { connected: true, lost: false, progress: 0, heard: null, expected: true };

/** Steps every 250 ms and returns what was done when. */
function run(watch: LinkWatch, from: number, to: number, reading: (now: number) => LinkReading): Array<[number, LinkAction]> {
  const done: Array<[number, LinkAction]> = [];
  for (let now = from; now <= to; now += 250) {
    const action = watch.handle(now, reading(now));
    if (action !== 'none') done.push([now, action]);
    if (action === 'new_peer') watch.peerStarted(now);
  }
  return done;
}

test('a healthy transport is left alone', () => {
  const watch = new LinkWatch(0);
  expect(run(watch, 0, 60_000, (now) => ({ ...UP, progress: now + 1 }))).toEqual([]);
  expect(watch.flowing(60_000)).toBe(true);
});

test('packets standing still bring an ICE restart and then a new peer', () => {
  const watch = new LinkWatch(0);
  const actions = run(watch, 0, 7_500, (now) => ({ ...UP, progress: Math.min(now, 1_000) + 1 }));
  expect(actions).toEqual([[3_500, 'restart_ice'], [7_500, 'new_peer']]);
  expect(watch.flowing(2_400)).toBe(true);
  expect(watch.flowing(2_500)).toBe(false);
});

test('a path on which nothing at all comes is left sooner than one that is only without media', () => {
  const moving = (now: number, until: number): number => Math.min(now, until) + 1;
  const dead = (now: number): LinkReading => ({ ...UP, progress: moving(now, 1_000), heard: moving(now, 1_000) });
  expect(run(new LinkWatch(0), 0, 3_000, dead)).toEqual([[2_500, 'restart_ice']]);
  // The publisher's own line stands still; the server's reports go on.
  const quiet = (now: number): LinkReading => ({ ...UP, progress: moving(now, 1_000), heard: Math.floor(now / 1_000) });
  expect(run(new LinkWatch(0), 0, 4_000, quiet)).toEqual([[3_500, 'restart_ice']]);
});

test('a counter that starts anew belongs to another path, on which something comes', () => {
  const watch = new LinkWatch(0);
  const reading = (now: number): LinkReading => ({ ...UP, progress: now + 1, heard: now < 2_000 ? 50_000 + now : now - 2_000 });
  expect(run(watch, 0, 10_000, reading)).toEqual([]);
});

test('media that comes by another path than the chosen one is media', () => {
  const reading = (now: number): LinkReading => ({ ...UP, progress: now + 1, heard: Math.min(now, 1_000) });
  expect(run(new LinkWatch(0), 0, 10_000, reading)).toEqual([]);
});

test('a restart that works ends the trouble', () => {
  const watch = new LinkWatch(0);
  const actions = run(watch, 0, 20_000, (now) => ({ ...UP, progress: now < 1_000 ? now : now < 4_500 ? 1_000 : now }));
  expect(actions).toEqual([[3_500, 'restart_ice']]);
});

test('silence is no trouble while nobody publishes', () => {
  const watch = new LinkWatch(0);
  expect(run(watch, 0, 60_000, () => ({ ...UP, expected: false }))).toEqual([]);
});

test('ICE disconnected is given two seconds to mend itself', () => {
  const watch = new LinkWatch(0);
  const reading = { ...UP, expected: false };
  expect(run(watch, 0, 10_000, (now) => ({ ...reading, lost: now >= 1_000 && now < 2_750 }))).toEqual([]);
  expect(run(watch, 10_250, 13_000, () => ({ ...reading, lost: true }))).toEqual([[12_250, 'restart_ice']]);
});

test('a transport that never connects is blocked, and tried again with growing pauses', () => {
  const watch = new LinkWatch(0);
  const down = { ...UP, connected: false };
  const actions = run(watch, 0, 120_000, () => down);
  expect(watch.blocked).toBe(true);
  const times = actions.map(([now]) => now);
  expect(times.slice(0, 4)).toEqual([8_000, 18_000, 30_000, 46_000]);
  watch.handle(121_000, UP);
  expect(watch.blocked).toBe(false);
});

test('a peer that the server keeps dropping is replaced at once, then less and less often', () => {
  const watch = new LinkWatch(0);
  const times: number[] = [];
  for (let now = 0; now < 40_000; now += 250) {
    watch.peerGone();
    if (watch.handle(now, { ...UP, connected: false }) === 'new_peer') {
      times.push(now);
      watch.peerStarted(now);
    }
  }
  expect(times).toEqual([0, 2_000, 6_000, 14_000, 30_000]);
  expect(watch.blocked).toBe(false);
});

test('a person who asks again gets a fresh try, as quick as the first', () => {
  const watch = new LinkWatch(0);
  const down = { ...UP, connected: false };
  run(watch, 0, 60_000, () => down);
  expect(watch.blocked).toBe(true);
  watch.tryAfresh();
  watch.peerStarted(60_000);
  expect(watch.blocked).toBe(false);
  expect(run(watch, 60_000, 70_000, () => down)[0]).toEqual([68_000, 'new_peer']);
  expect(watch.blocked).toBe(true);
});
