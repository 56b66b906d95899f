import { describe, expect, test } from 'vitest';
import { BufferRamp } from './ramp';
import { SameMoment } from './same_moment';

const BEAT_MS = 30;

/** WebRTC as measured: its latency is its way's and its buffer's, and the buffer follows what is asked after half a second. */
class WebrtcPicture {
  readonly moment = new SameMoment();
  readonly #ramp = new BufferRamp();
  #asked: Array<number | null> = Array.from({ length: 17 }, () => null);
  behindMs = 0;

  constructor(readonly wayMs: number, readonly ownBufferMs: number, readonly grain: () => number) {}

  beat(now: number, targetMs: number | null): void {
    const held = this.#asked[0] ?? null;
    const buffer = Math.max(this.ownBufferMs, held ?? 0);
    this.behindMs = this.wayMs + buffer + this.grain();
    const steering = this.moment.handle(now, { engine: 'webrtc', behindMs: this.behindMs, heldMs: this.#asked.at(-1) ?? null, bufferMs: buffer, isLive: true }, targetMs);
    const targets = this.#ramp.handle(now, { wantedMs: steering.webrtc?.wantedMs ?? null, latencyMs: steering.webrtc?.latencyMs ?? null, onScreen: true });
    this.#asked = [...this.#asked.slice(1), targets.video];
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

describe('HLS', () => {
  /** An element that plays at the rate it is told and jumps when it is told. */
  function play(fromMs: number, targetMs: number | null, forMs: number) {
    const moment = new SameMoment();
    let behindMs = fromMs;
    let jumps = 0;
    const rates = new Set<number>();
    for (let now = 0; now < forMs; now += BEAT_MS) {
      const { rate, jumpMs } = moment.handle(now, { engine: 'hls', behindMs, heldMs: null, bufferMs: null, isLive: true }, targetMs);
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

  test('out of step plays as it sees fit', () => {
    expect(play(1_300, null, 5_000).rates).toEqual(new Set([1]));
  });
});

test('another engine begins anew', () => {
  const moment = new SameMoment();
  for (let now = 0; now < 1_000; now += BEAT_MS) moment.handle(now, { engine: 'webrtc', behindMs: 200, heldMs: null, bufferMs: 40, isLive: true }, null);
  expect(moment.pace()).not.toBeNull();
  moment.handle(1_000, { engine: 'hls', behindMs: 1_500, heldMs: null, bufferMs: null, isLive: true }, null);
  expect(moment.pace()).toBeNull();
});
