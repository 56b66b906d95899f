// In step with friends: what one of them does to the match all of them see, and what this person does is told to the others. No DOM.
//
// The picture is held at the agreed moment by the watching session (`keepBehind`); here live, back and pause go to and fro.
import { type ReadonlySignal, effect, untracked } from '@preact/signals';
import type { Place, WatchSession } from '../playback/session';
import type { CallPlay } from '../protocol';
import type { Playback } from '../watch/playback';
import { every } from '../lib/worker_timer';
import type { Call } from './call';

/** One press can be a seek and a start at once: what comes of it is told once, after this long, ms. */
const SETTLE_MS = 250;
/** Two moments this near to each other are one, ms: nobody needs to be moved. */
const SAME_MS = 1_500;
/** What is nearer to the action than this can be stopped, and cannot be gone to yet (`WatchSession.playFrom`), ms. */
const RECORDED_AFTER_MS = 6_000;
/** Whether the picture has come to where it is to stop is looked at this often, and for so long at most, ms. */
const LOOK_EVERY_MS = 100;
const COMES_WITHIN_MS = 10_000;
const PACE_EVERY_MS = 1_000;

export type StepSession = Pick<WatchSession, 'keepBehind' | 'pace' | 'playFrom' | 'goLive' | 'position' | 'mediaNow' | 'serverNow'> & {
  readonly acts: ReadonlySignal<number>;
  readonly place: ReadonlySignal<Place>;
};
export type StepPlayback = Pick<Playback, 'paused' | 'held' | 'play' | 'toggle'>;
export type StepCall = Pick<Call, 'isIn' | 'me' | 'targetMs' | 'played' | 'view' | 'play' | 'tellPace'>;

/** Follows the others and tells them, until `until` aborts. `failed`: the others were not moved. */
export function keepInStep(call: StepCall, session: StepSession, playback: StepPlayback, failed: (thrown: unknown) => void, until: AbortSignal): void {
  // What others have done comes about late and in steps: an act is counted at once, an element stops and starts when it does, and the past takes
  // its time. None of that is this person's doing, and nothing of it is told.
  let actsKnown = session.acts.peek();
  let pauseAwaited: boolean | null = null;
  /** On the way to a moment, to stop there. */
  let stopsAt: { mediaMs: number; byMs: number } | null = null;
  let look: ReturnType<typeof setTimeout> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let seen: unknown = null;

  /** Where this person's match is now. */
  const now = (): CallPlay | null => {
    const server = session.serverNow();
    if (playback.paused.peek()) {
      const media = session.mediaNow();
      return media === null ? null : { at: 'paused', media_time_ms: media };
    }
    if (session.place.peek() === 'live') return { at: 'live' };
    const position = session.position();
    return position === null || server === null ? null : { at: 'behind', behind_ms: Math.max(0, server - position) };
  };
  const tell = (): void => {
    const play = now();
    const known = call.view.peek()?.play;
    if (stopsAt !== null || !play || !known || !isInStep() || isSame(play, known)) return;
    call.play(play).catch(failed);
  };
  const isInStep = (): boolean => call.isIn.peek() && (call.me.peek()?.in_step ?? false);
  const acted = (): void => {
    if (!isInStep() || playback.held.peek()) return;
    clearTimeout(timer);
    timer = setTimeout(tell, SETTLE_MS);
  };
  const goOn = (): void => {
    if (!playback.paused.peek()) return;
    pauseAwaited = false;
    void playback.play();
  };
  const stop = (): void => {
    stopsAt = null;
    clearTimeout(look);
    if (playback.paused.peek()) return;
    pauseAwaited = true;
    playback.toggle();
  };
  /** Stops once the moment is on screen, or where it turns out that it will not be. */
  const stopThere = (): void => {
    clearTimeout(look);
    if (stopsAt === null) return;
    const media = session.mediaNow();
    const place = session.place.peek();
    const isThere = place === 'past' && media !== null && Math.abs(media - stopsAt.mediaMs) < SAME_MS;
    if (isThere || place === 'live' || performance.now() > stopsAt.byMs) stop();
    else look = setTimeout(stopThere, LOOK_EVERY_MS);
  };
  const obey = (play: CallPlay): void => {
    clearTimeout(timer);
    clearTimeout(look);
    [pauseAwaited, stopsAt] = [null, null];
    const server = session.serverNow();
    switch (play.at) {
      case 'live':
        if (session.place.peek() !== 'live') session.goLive();
        goOn();
        break;
      case 'behind': {
        const position = session.position();
        const wanted = server === null ? null : server - play.behind_ms;
        const isThere = wanted !== null && position !== null && session.place.peek() !== 'live' && Math.abs(position - wanted) < SAME_MS;
        if (wanted !== null && !isThere) session.playFrom(wanted);
        goOn();
        break;
      }
      case 'paused': {
        const media = session.mediaNow();
        if (media !== null && Math.abs(media - play.media_time_ms) < SAME_MS) {
          stop();
        } else {
          const isLive = session.place.peek() === 'live';
          // From the past the edge is no way to a stop: its picture would be on its way there, and play.
          session.playFrom(isLive || server === null ? play.media_time_ms : Math.min(play.media_time_ms, server - RECORDED_AFTER_MS));
          if (session.place.peek() !== 'live') goOn();
          stopsAt = { mediaMs: session.position() ?? play.media_time_ms, byMs: performance.now() + COMES_WITHIN_MS };
          stopThere();
        }
        break;
      }
    }
    actsKnown = session.acts.peek();
  };

  const stops = [
    effect(() => {
      const target = call.targetMs.value;
      session.keepBehind(target);
    }),
    effect(() => {
      const played = call.played.value;
      const isIn = call.isIn.value;
      const inStep = call.me.value?.in_step ?? false;
      // Moved once for each word of it, and once when this person steps in.
      const key = inStep && isIn ? played : null;
      if (key === seen) return;
      seen = key;
      if (!played || !key) return;
      untracked(() => obey(call.view.peek()?.play ?? played.play));
    }),
    effect(() => {
      if (session.acts.value === actsKnown) return;
      actsKnown = session.acts.peek();
      // Going somewhere else is no stop there.
      stopsAt = null;
      untracked(acted);
    }),
    effect(() => {
      const { value } = playback.paused;
      if (value === pauseAwaited) pauseAwaited = null;
      else if (stopsAt === null) untracked(acted);
    }),
  ];
  every(PACE_EVERY_MS, () => {
    const pace = session.pace();
    if (pace) call.tellPace(pace);
  }, until);
  until.addEventListener('abort', () => {
    for (const stop of stops) stop();
    clearTimeout(timer);
    clearTimeout(look);
    session.keepBehind(null);
  }, { once: true });
}

export function isSame(a: CallPlay, b: CallPlay): boolean {
  if (a.at === 'behind' && b.at === 'behind') return Math.abs(a.behind_ms - b.behind_ms) < SAME_MS;
  if (a.at === 'paused' && b.at === 'paused') return Math.abs(a.media_time_ms - b.media_time_ms) < SAME_MS;
  return a.at === 'live' && b.at === 'live';
}
