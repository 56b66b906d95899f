import { describe, expect, test } from 'vitest';
import { BufferRamp } from './ramp';
import { SameMoment } from './same_moment';

const BEAT_MS = 30;

/** WebRTC as measured: its latency is its way's and its buffer's, and the buffer follows what is asked after half a second. */
class WebrtcPicture {
  readonly moment = new SameMoment();
  readonly #ramp = new BufferRamp();
  /** Draws five frames a second, so much late; `null`: has the time it needs. */
  starvedMs: number | null = null;
  #drawn = { at: -Infinity };
  #asked: Array<number | null> = Array.from({ length: 17 }, () => null);
  behindMs = 0;

  get heldMs(): number {
    return this.#asked.at(-1) ?? 0;
  }

  constructor(public wayMs: number, readonly ownBufferMs: number, readonly grain: () => number) {}

  beat(now: number, targetMs: number | null): void {
    const held = this.#asked[0] ?? null;
    const buffer = Math.max(this.ownBufferMs, held ?? 0);
    this.behindMs = this.wayMs + buffer + this.grain() + this.#lateness(now);
    const steering = this.moment.handle(now, { engine: 'webrtc', behindMs: this.behindMs, heldMs: this.#asked.at(-1) ?? null, bufferMs: buffer, isLive: true, isStarved: this.starvedMs !== null }, targetMs);
    const targets = this.#ramp.handle(now, { wantedMs: steering.webrtc?.wantedMs ?? null, latencyMs: steering.webrtc?.latencyMs ?? null, onScreen: true });
    this.#asked = [...this.#asked.slice(1), targets.video];
  }

  /** Between two frames the picture stands, and falls behind by as much. */
  #lateness(now: number): number {
    if (this.starvedMs === null) return 0;
    if (now - this.#drawn.at >= 200) this.#drawn = { at: now };
    return this.starvedMs + now - this.#drawn.at;
  }
}

/** What the server makes of what four pages tell each second: it rises at once and falls, after four seconds, by 50 ms a second. */
class Pace {
  heldMs = 0;
  #lowerSince: number | null = null;

  second(now: number, leasts: readonly number[]): void {
    const target = Math.max(...leasts) + 10;
    if (target >= this.heldMs) {
      this.heldMs = target;
      this.#lowerSince = null;
      return;
    }
    this.#lowerSince ??= now;
    if (now - this.#lowerSince >= 4_000) this.heldMs = Math.max(target, this.heldMs - 50);
  }
}

/** Repeats itself, and differs by up to a frame from one reading to the next. */
function grainOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return (state / 2 ** 31 - 0.5) * 33;
  };
}

test('without anybody to wait for nothing is steered, and the least is what there is', () => {
  const picture = new WebrtcPicture(110, 60, () => 0);
  for (let now = 0; now < 5_000; now += BEAT_MS) picture.beat(now, null);
  expect(picture.moment.pace()).toEqual({ behindMs: 170, leastMs: 170 });
});

test('four pictures on different ways come within 60 ms of each other and stay there, and each still knows how little it could be', () => {
  const ways = [60, 110, 180, 320];
  const pictures = ways.map((way, index) => new WebrtcPicture(way, 40 + 10 * index, grainOf(index + 7)));
  const skews: number[] = [];
  for (let now = 0; now < 40_000; now += BEAT_MS) {
    const paces = pictures.map(({ moment }) => moment.pace());
    const target = now < 3_000 ? null : Math.max(...paces.map((pace) => pace?.leastMs ?? 0)) + 40;
    for (const picture of pictures) picture.beat(now, target);
    if (now < 20_000) continue;
    const middle = pictures.map(({ moment }) => moment.pace()?.behindMs ?? NaN);
    skews.push(Math.max(...middle) - Math.min(...middle));
  }
  skews.sort((a, b) => a - b);
  expect(skews[Math.floor(skews.length * 0.95)]).toBeLessThan(60);
  pictures.forEach(({ moment, wayMs, ownBufferMs }) => expect(Math.abs((moment.pace()?.leastMs ?? NaN) - wayMs - ownBufferMs)).toBeLessThan(25));
});

test('a page that cannot keep up holds nobody back beyond what its way needs, and all are together soon after it can', () => {
  const pictures = [60, 110, 180, 320].map((way, index) => new WebrtcPicture(way, 40 + 10 * index, grainOf(index + 7)));
  const starved = pictures[1]!;
  const pace = new Pace();
  const paces = { before: 0, most: 0, after: 0 };
  let latest = 0;
  for (let now = 0; now < 90_000; now += BEAT_MS) {
    if (now % 1_020 === 0 && now > 3_000) pace.second(now, pictures.map(({ moment }) => moment.pace()?.leastMs ?? 0));
    starved.starvedMs = now >= 20_000 && now < 60_000 ? 300 : null;
    for (const picture of pictures) picture.beat(now, now > 3_000 ? pace.heldMs : null);
    if (now < 20_000) paces.before = pace.heldMs;
    else paces.most = Math.max(paces.most, pace.heldMs);
    paces.after = pace.heldMs;
    const middle = pictures.map(({ moment }) => moment.pace()?.behindMs ?? NaN);
    if (now > 60_000 && Math.max(...middle) - Math.min(...middle) > 60) latest = now;
  }
  expect(paces.most - paces.before).toBeLessThan(40);
  expect(Math.abs(paces.after - paces.before)).toBeLessThan(40);
  expect(latest).toBeLessThan(70_000);
  expect(starved.heldMs).toBeLessThanOrEqual(paces.after);
});

test('a way that has grown is known within three seconds, and one that is longer for a second is not believed', () => {
  const picture = new WebrtcPicture(110, 60, grainOf(3));
  let now = 0;
  const leastAfter = (ms: number): number => {
    for (const end = now + ms; now < end; now += BEAT_MS) picture.beat(now, null);
    return picture.moment.pace()?.leastMs ?? NaN;
  };
  expect(Math.abs(leastAfter(10_000) - 170)).toBeLessThan(20);
  picture.wayMs = 230;
  expect(Math.abs(leastAfter(1_000) - 170)).toBeLessThan(20);
  picture.wayMs = 110;
  expect(Math.abs(leastAfter(10_000) - 170)).toBeLessThan(20);
  picture.wayMs = 230;
  expect(Math.abs(leastAfter(3_000) - 290)).toBeLessThan(20);
});

test('a page that gets to its beats late learns nothing meanwhile', () => {
  const picture = new WebrtcPicture(110, 60, () => 0);
  for (let now = 0; now < 5_000; now += BEAT_MS) picture.beat(now, null);
  const late = new WebrtcPicture(410, 60, () => 0);
  for (let now = 5_000; now < 25_000; now += 300) {
    late.beat(now, null);
    picture.moment.handle(now, { engine: 'webrtc', behindMs: late.behindMs, heldMs: null, bufferMs: 60, isLive: true, isStarved: false }, null);
  }
  expect(picture.moment.pace()).toEqual({ behindMs: 470, leastMs: 170 });
});

test('a picture that does not follow what is asked is asked for hardly more than it is to be behind', () => {
  const ramp = new BufferRamp();
  let targets = ramp.handle(0, { wantedMs: 500, latencyMs: 150, onScreen: true });
  for (let now = 30; now < 60_000; now += BEAT_MS) targets = ramp.handle(now, { wantedMs: 500, latencyMs: 150, onScreen: true });
  expect(targets.video).toBe(650);
});

describe('HLS', () => {
  /** An element that plays at the rate it is told and jumps when it is told. */
  function play(fromMs: number, targetMs: number | null, forMs: number) {
    const moment = new SameMoment();
    let behindMs = fromMs;
    let jumps = 0;
    const rates = new Set<number>();
    for (let now = 0; now < forMs; now += BEAT_MS) {
      const { rate, jumpMs } = moment.handle(now, { engine: 'hls', behindMs, heldMs: null, bufferMs: null, isLive: true, isStarved: false }, targetMs);
      rates.add(rate ?? 1);
      behindMs += (1 - (rate ?? 1)) * BEAT_MS;
      if (jumpMs !== null) {
        behindMs -= jumpMs;
        jumps += 1;
      }
    }
    return { behindMs, jumps, rates, moment };
  }

  test('is slowed to the others and stops at their moment', () => {
    const { behindMs, jumps, rates, moment } = play(1_300, 1_700, 20_000);
    expect(Math.abs(behindMs - 1_700)).toBeLessThan(35);
    expect([...rates].sort()).toEqual([0.96, 1]);
    expect(jumps).toBe(0);
    // What it is held back by is not what it needs.
    expect(Math.abs((moment.pace()?.leastMs ?? NaN) - 1_300)).toBeLessThan(40);
  });

  test('far off jumps once and is right', () => {
    const { behindMs, jumps } = play(1_300, 9_000, 10_000);
    expect(jumps).toBe(1);
    expect(Math.abs(behindMs - 9_000)).toBeLessThan(35);
  });

  test('what stalls have cost it is made good, and not waited for by everybody', () => {
    const moment = new SameMoment();
    const pace = new Pace();
    let behindMs = 1_300;
    let most = 0;
    for (let now = 0; now < 120_000; now += BEAT_MS) {
      // Every half minute it stops for two seconds.
      const stalls = now % 30_000 > 20_000 && now % 30_000 < 22_000;
      const { rate, jumpMs } = moment.handle(now, { engine: 'hls', behindMs, heldMs: null, bufferMs: null, isLive: true, isStarved: false }, now > 2_000 ? pace.heldMs : null);
      behindMs += stalls ? BEAT_MS : (1 - (rate ?? 1)) * BEAT_MS - (jumpMs ?? 0);
      // Nearer than this nothing has been packaged yet.
      behindMs = Math.max(1_300, behindMs);
      // A friend by HLS as well, on a longer way.
      if (now % 1_020 === 0 && now > 1_000) pace.second(now, [1_700, moment.pace()?.leastMs ?? 0]);
      most = Math.max(most, pace.heldMs);
    }
    expect(most).toBeLessThan(1_710 + 150);
    expect(Math.abs(behindMs - 1_710)).toBeLessThan(150);
    // Each stall costs what the least rises by until it is made good; what eight seconds of stalls have cost is not in it.
    expect(Math.abs((moment.pace()?.leastMs ?? NaN) - 1_300)).toBeLessThan(200);
  });

  test('out of step plays as it sees fit', () => {
    expect(play(1_300, null, 5_000).rates).toEqual(new Set([1]));
  });
});

test('another engine begins anew', () => {
  const moment = new SameMoment();
  for (let now = 0; now < 1_000; now += BEAT_MS) moment.handle(now, { engine: 'webrtc', behindMs: 200, heldMs: null, bufferMs: 40, isLive: true, isStarved: false }, null);
  expect(moment.pace()).not.toBeNull();
  moment.handle(1_000, { engine: 'hls', behindMs: 1_500, heldMs: null, bufferMs: null, isLive: true, isStarved: false }, null);
  expect(moment.pace()).toBeNull();
});
