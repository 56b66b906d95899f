import { describe, expect, it } from 'vitest';
import { FrameTrail } from './frames';
import { beginningAt, firstRung, mediaTimeAt, recordedOf, secondsAt } from './hls_time';
import { BufferRamp } from './ramp';

describe('FrameTrail', () => {
  it('moves from its second frame on, is overdue soon and stops later', () => {
    const trail = new FrameTrail();
    trail.shown(1_000);
    expect(trail.moving(1_010)).toBe(false);
    for (let at = 1_033; at < 2_000; at += 33) trail.shown(at);
    expect([trail.moving(2_010), trail.frozen(2_010)]).toEqual([true, false]);
    expect([trail.moving(2_200), trail.frozen(2_200)]).toEqual([true, true]);
    expect(trail.moving(2_500)).toBe(false);
  });

  it('waits longer for the frames of a slow picture', () => {
    const trail = new FrameTrail();
    for (let at = 0; at <= 20_000; at += 1_000) trail.shown(at);
    expect([trail.moving(22_500), trail.frozen(21_500)]).toEqual([true, false]);
  });

  it('has to prove itself again after a stop', () => {
    const trail = new FrameTrail();
    for (let at = 0; at < 500; at += 33) trail.shown(at);
    trail.shown(5_000);
    expect(trail.moving(5_001)).toBe(false);
  });
});

describe('mediaTimeAt', () => {
  const fragments = [
    { start: 10, programDateTime: 1_000_000 },
    { start: 12, programDateTime: 1_002_000 },
    // A pause of the publisher: the element's time goes on, media time jumps.
    { start: 14, programDateTime: 1_030_000 },
    { start: 16, programDateTime: null },
  ];

  it('goes through the fragment that holds the place', () => {
    expect(mediaTimeAt(fragments, 11)).toBe(1_001_000);
    expect(mediaTimeAt(fragments, 12)).toBe(1_002_000);
    expect(mediaTimeAt(fragments, 14.5)).toBe(1_030_500);
  });

  it('counts on from the last dated fragment, and back from the first', () => {
    expect(mediaTimeAt(fragments, 16.5)).toBe(1_032_500);
    expect(mediaTimeAt(fragments, 9.5)).toBe(999_500);
    expect(mediaTimeAt([], 1)).toBe(null);
  });

  it('gives a frame at a boundary to what it begins, however it was rounded', () => {
    expect(mediaTimeAt(fragments, 13.9995)).toBeCloseTo(1_029_999.5);
  });
});

describe('secondsAt', () => {
  const fragments = [
    { start: 10, duration: 2, programDateTime: 1_000_000 },
    { start: 12, duration: 2, programDateTime: 1_002_000 },
    // The publisher was away.
    { start: 14, duration: 2, programDateTime: 1_030_000 },
  ];

  it('finds the place that shows a moment, and what comes next where nothing was recorded', () => {
    expect(secondsAt(fragments, 1_003_500)).toBe(13.5);
    expect(secondsAt(fragments, 1_010_000)).toBe(14);
    expect(secondsAt(fragments, 1_031_000)).toBe(15);
    for (const seconds of [10, 11.25, 13.9, 15.5]) expect(secondsAt(fragments, mediaTimeAt(fragments, seconds)!)).toBeCloseTo(seconds);
  });

  it('keeps to the beginning and the end of what there is', () => {
    expect([secondsAt(fragments, 0), secondsAt(fragments, 9_000_000), secondsAt([], 0)]).toEqual([10, 16, null]);
    expect(recordedOf(fragments)).toEqual({ fromMs: 1_000_000, toMs: 1_032_000 });
    expect(recordedOf([])).toBeNull();
  });
});

describe('beginningAt', () => {
  const line = (second: string) => `#EXT-X-PROGRAM-DATE-TIME:2026-11-27T18:00:${second}.000Z\n#EXTINF:2.00000,\ns1.m4s\n`;
  const playlist = `#EXTM3U\n#EXT-X-VERSION:9\n${line('00')}${line('02')}${line('30')}`;

  it('says where to begin, counted from the beginning of the playlist', () => {
    expect(beginningAt(playlist, Date.parse('2026-11-27T18:00:03.500Z'))).toBe(playlist.replace('#EXTM3U\n', '#EXTM3U\n#EXT-X-START:TIME-OFFSET=3.500,PRECISE=YES\n'));
    expect(beginningAt(playlist, Date.parse('2026-11-27T18:00:31.000Z'))).toContain('TIME-OFFSET=5.000');
  });

  it('leaves a playlist without media as it is', () => {
    const master = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv0/dvr.m3u8\n';
    expect(beginningAt(master, 0)).toBe(master);
  });
});

describe('firstRung', () => {
  const rungs = [200_000, 800_000, 2_500_000].map((bitrateBps, index) => ({ height: 180 * 2 ** index, bitrateBps }));
  it.each([[100_000, 0], [1_300_000, 1], [10_000_000, 2]])('at %d bit/s', (bps, rung) => expect(firstRung(rungs, bps)).toBe(rung));
});

describe('BufferRamp', () => {
  it('moves what is on screen no faster than its sound can follow, and not past its aim', () => {
    const ramp = new BufferRamp();
    let [last, latencyMs, fastest] = [0, 100, 0];
    for (let now = 0; now <= 40_000; now += 30) {
      const { audio, video } = ramp.handle(now, { wantedMs: 1_300, latencyMs, onScreen: true });
      fastest = Math.max(fastest, (video ?? 0) - last, Math.abs((audio ?? 0) - (video ?? 0)));
      last = video ?? 0;
      latencyMs = 100 + last;
    }
    expect(latencyMs).toBeGreaterThan(1_280);
    expect(latencyMs).toBeLessThan(1_320);
    for (let now = 40_030; now <= 80_000; now += 30) {
      const { video } = ramp.handle(now, { wantedMs: null, latencyMs: null, onScreen: true });
      fastest = Math.max(fastest, last - (video ?? 0));
      last = video ?? 0;
    }
    expect(fastest).toBeLessThanOrEqual(2);
    expect(ramp.handle(80_030, { wantedMs: null, latencyMs: null, onScreen: true })).toEqual({ audio: null, video: null });
  });

  it('does not overshoot what the picture follows late, and ends within a few milliseconds', () => {
    const ramp = new BufferRamp();
    const lateBeats = 23;
    const asked: number[] = Array.from({ length: lateBeats }, () => 0);
    let [most, latencyMs] = [0, 100];
    for (let now = 0; now <= 20_000; now += 30) {
      latencyMs = 100 + asked.at(-lateBeats)!;
      most = Math.max(most, latencyMs);
      asked.push(ramp.handle(now, { wantedMs: 400, latencyMs, onScreen: true }).video ?? 0);
    }
    expect(most).toBeLessThan(408);
    expect(Math.abs(latencyMs - 400)).toBeLessThan(8);
  });

  it('asks for more of what holds back less than it is asked', () => {
    const ramp = new BufferRamp();
    let latencyMs = 0;
    for (let now = 0; now <= 20_000; now += 30) latencyMs = 50 + 0.75 * (ramp.handle(now, { wantedMs: 300, latencyMs, onScreen: true }).video ?? 0);
    expect(Math.abs(latencyMs - 300)).toBeLessThan(8);
  });

  it('prepares the sound of what nobody sees, and steps its picture once it is known how late that is', () => {
    const ramp = new BufferRamp();
    expect(ramp.handle(0, { wantedMs: 1_300, latencyMs: null, onScreen: false })).toEqual({ audio: 1_300, video: null });
    const stepped = { audio: 1_200, video: 1_200 };
    expect(ramp.handle(1_000, { wantedMs: 1_300, latencyMs: 100, onScreen: false })).toEqual(stepped);
    // The step stops it for as long: nothing is known meanwhile, and nothing is changed.
    expect(ramp.handle(2_000, { wantedMs: 1_300, latencyMs: null, onScreen: false })).toEqual(stepped);
    expect(ramp.handle(2_500, { wantedMs: 1_300, latencyMs: 1_310, onScreen: false })).toEqual(stepped);
  });

  it('lets go at once of what nobody sees, and when the person asks for the live edge', () => {
    const ramp = new BufferRamp();
    ramp.handle(1_000, { wantedMs: 1_300, latencyMs: 100, onScreen: false });
    expect(ramp.handle(1_030, { wantedMs: null, latencyMs: null, onScreen: true }).video).toBeGreaterThan(1_100);
    ramp.drop();
    expect(ramp.handle(1_060, { wantedMs: null, latencyMs: null, onScreen: true })).toEqual({ audio: null, video: null });
  });
});
