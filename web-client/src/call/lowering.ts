// Lowers the match while a friend speaks, for as long as somebody is in the call and wants it so.
import { effect, untracked } from '@preact/signals';
import { every } from '../lib/worker_timer';
import type { Playback } from '../watch/playback';
import type { Call } from './call';
import { Duck } from './ducking';
import { graphOf, ignoresVolume } from './sound_graph';

/** Fine enough for a slope of 80 ms to be no step. */
const STEP_MS = 15;
/** A graph follows another transport's track when it is told again. */
const REMIND_STEPS = 64;

export type LoweringSwitch = { readonly value: boolean };

/** Until `until` aborts. `isWanted`: whether the person wants the match lowered at all. */
export function lowerMatch(call: Call, playback: Playback, isWanted: LoweringSwitch, until: AbortSignal): void {
  if (ignoresVolume()) playback.playThrough(graphOf);
  const duck = new Duck();
  let steps = 0;
  let last = 1;
  const step = (): void => {
    const speaking = isWanted.value && call.speaker.peek() !== null;
    const share = duck.handle(performance.now(), speaking);
    if (share !== last || ++steps % REMIND_STEPS === 0) playback.lower(share);
    last = share;
  };
  let beat: AbortController | null = null;
  const stop = effect(() => {
    beat?.abort();
    beat = null;
    untracked(() => playback.lower(1));
    if (!call.isIn.value) return;
    beat = new AbortController();
    // A worker's beat: hidden tabs are listened to as well.
    every(STEP_MS, step, beat.signal);
  });
  until.addEventListener('abort', () => {
    stop();
    beat?.abort();
    playback.lower(1);
    playback.playThrough(null);
  }, { once: true });
}
