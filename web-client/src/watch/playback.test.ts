import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Playback } from './playback';

/** An element as browsers make it: it stops without a word when its source goes, and says it a moment later when somebody stops it. */
class FakeVideo extends EventTarget {
  paused = true;
  muted = false;
  volume = 1;
  plays = 0;

  play(): Promise<void> {
    if (!this.paused) return Promise.resolve();
    this.plays += 1;
    this.paused = false;
    this.dispatchEvent(new Event('play'));
    return Promise.resolve();
  }
  /** The event that follows. */
  pause(): () => void {
    this.paused = true;
    return () => this.dispatchEvent(new Event('pause'));
  }
  /** A player is closed and another one made. */
  load(): void {
    this.paused = true;
  }
  toggleAttribute(): void {}
  setAttribute(): void {}
}

beforeEach(() => vi.stubGlobal('document', { hidden: true }));
afterEach(() => vi.unstubAllGlobals());

function attached() {
  const [webrtc, hls, life] = [new FakeVideo(), new FakeVideo(), new AbortController()];
  const playback = new Playback();
  playback.attach({ webrtc, hls } as unknown as Parameters<Playback['attach']>[0], life.signal);
  return { webrtc, hls, playback, beats: (count: number) => { for (let beat = 0; beat < count; beat++) playback.keepRunning('hls'); } };
}

test('an element that nobody sees plays along, and again after another source has stopped it', () => {
  const { hls, beats } = attached();
  beats(5);
  expect([hls.plays, hls.muted]).toEqual([1, true]);
  hls.load();
  beats(1);
  expect([hls.paused, hls.plays]).toEqual([false, 2]);
});

test('a player that is made anew behind the picture in front plays on', () => {
  const { hls, playback, beats } = attached();
  playback.bring('hls', false);
  hls.load();
  beats(2);
  expect([hls.paused, playback.paused.value]).toEqual([false, false]);
});

test('what a person has stopped stays stopped, even before the element has said so', () => {
  const { hls, playback, beats } = attached();
  playback.bring('hls', false);
  beats(1);
  const said = hls.pause();
  beats(1);
  said();
  beats(5);
  expect([hls.paused, playback.paused.value]).toEqual([true, true]);
  // Another player under it changes nothing.
  hls.load();
  beats(5);
  expect(hls.paused).toBe(true);
});

test('a picture that goes on from where it was stopped is played by the player that brings it', () => {
  const { hls, playback, beats } = attached();
  playback.bring('hls', false);
  hls.pause()();
  playback.goesOn();
  hls.load();
  beats(2);
  expect([hls.paused, playback.paused.value]).toEqual([false, false]);
});

test('a match that is lowered keeps the volume that the person has chosen, and both engines have it', () => {
  const { webrtc, playback } = attached();
  playback.setVolume(0.5);
  playback.lower(0.25);
  expect(webrtc.volume).toBeCloseTo(0.125);
  expect(playback.volume.value).toBe(0.5);
  playback.setVolume(0.8);
  expect(webrtc.volume).toBeCloseTo(0.2);
  playback.lower(1);
  expect(webrtc.volume).toBeCloseTo(0.8);
});

test('where the volume of elements counts for nothing a graph is heard in their place', () => {
  const { webrtc, playback } = attached();
  const heard: Record<string, number> = {};
  playback.playThrough(() => ({ set: (engine, gain) => { heard[engine] = gain; } }));
  playback.setVolume(0.5);
  playback.lower(0.5);
  expect(heard['webrtc']).toBeCloseTo(0.25);
  expect(webrtc.muted).toBe(true);
  playback.setMuted(true);
  expect(heard['webrtc']).toBe(0);
  playback.setMuted(false);
  playback.playThrough(null);
  expect(webrtc.muted).toBe(false);
  expect(webrtc.volume).toBeCloseTo(0.25);
});
