// Everything of calls on one watch page, tied together: the call, the way on air, how the match follows, where faces are. No components.
import { computed, effect, signal, untracked } from '@preact/signals';
import { sayFailed } from '../account/say_failed';
import type { WatchSession } from '../playback/session';
import { recall, remember } from '../ui/remember';
import { showToast } from '../ui/Toast';
import type { Playback } from '../watch/playback';
import { callWords } from '../call_words';
import { keepCallInAddress } from './address';
import { Call } from './call';
import { CallDevices } from './devices';
import { lowerMatch } from './lowering';
import { OnAir } from './on_air';
import { quiet } from './rings';
import { keepInStep } from './step';

/** Where the faces are. `window`: in one of their own, with the match; not remembered, because only a press opens it. */
export type FacesPlace = 'top' | 'side' | 'floating' | 'hidden' | 'window';
export type PartyDialog = 'invite' | 'devices';

export class Party {
  readonly call: Call;
  readonly air: OnAir;
  readonly session: WatchSession;
  readonly playback: Playback;
  readonly faces = signal<FacesPlace>(recall('faces', 'top'));
  readonly isLowering = signal(recall('lowering', true));
  readonly dialog = signal<PartyDialog | null>(null);
  /** Whose voice makes the match quieter now; `null`: nobody's. */
  readonly loweredFor = computed(() => (this.isLowering.value && this.call.isIn.value ? (this.call.speaker.value?.name ?? null) : null));

  constructor(session: WatchSession, playback: Playback, askedOnAir: number | null, lifetime: AbortSignal) {
    this.session = session;
    this.playback = playback;
    this.call = new Call(session.viewer, lifetime, new CallDevices(lifetime));
    this.air = new OnAir(this.call, session.viewer, askedOnAir, lifetime);
    keepInStep(this.call, session, playback, (thrown) => sayFailed(thrown, callWords.news.notMoved), lifetime);
    lowerMatch(this.call, playback, this.isLowering, lifetime);
    const stop = effect(() => {
      const id = this.call.view.value?.id ?? null;
      if (this.call.isOn.value) {
        keepCallInAddress(id);
        if (id !== null) quiet(id);
      } else if (this.call.phase.value.kind === 'over') {
        keepCallInAddress(null);
      }
    });
    const stopHiding = effect(() => {
      const isHidden = this.faces.value === 'hidden';
      untracked(() => this.call.media.hide(isHidden));
    });
    lifetime.addEventListener('abort', () => {
      stop();
      stopHiding();
    }, { once: true });
  }

  /** Brings the faces back, wherever they were last. */
  show(): void {
    if (this.faces.peek() === 'hidden') this.place('top');
  }

  place(faces: FacesPlace): void {
    this.faces.value = faces;
    if (faces !== 'window') remember('faces', faces);
  }

  setLowering(on: boolean): void {
    this.isLowering.value = on;
    remember('lowering', on);
  }

  async shareScreen(on: boolean): Promise<void> {
    // A picker that was closed changes nothing.
    await this.call.devices.shareScreen(on).catch(() => undefined);
  }

  /** Carries out what may be refused, and says so then. */
  try(what: Promise<unknown>, title: string = callWords.failed): void {
    what.catch((thrown: unknown) => sayFailed(thrown, title));
  }

  async raiseHand(raised: boolean): Promise<void> {
    await this.air.raise(raised);
    if (raised) showToast({ title: callWords.dock.raised });
  }
}
