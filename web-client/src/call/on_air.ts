// Coming on air as a guest: a raised hand, the broadcaster's invitation, and being seen by everybody. Uses the call's camera and its m-lines.
//
//   off ──invited──▶ asked ──accept──▶ going ──yes──▶ on ──leave──▶ leaving ──the server knows──▶ off
//                      ▲──────refused────┘└──no answer: it may be a yes──▶──┘
//
// Whoever has pressed to leave is off air when the server knows it, and not before: until then their picture may be on everybody's screen.
import { type ReadonlySignal, batch, computed, effect, signal } from '@preact/signals';
import { backoffMs } from '../lib/backoff';
import { asRequestError } from '../lib/errors';
import type { ViewerSession } from '../lib/viewer';
import type { Call } from './call';

/** The broadcast names its guest for so long at most after the server has agreed that it is over, ms. Longer, and it is another page of theirs. */
const NAMED_FOR_MS = 3_000;

export type AirState =
  | { kind: 'off' }
  /** The broadcaster asks; the answer counts until `expiresAtMs` (ms since the Unix epoch, by the server's clock). */
  | { kind: 'asked'; expiresAtMs: number }
  | { kind: 'going' }
  | { kind: 'on' }
  /** The server is to take this person off air; it is told so until it has, and then the broadcast says so. */
  | { kind: 'leaving' };

export class OnAir {
  readonly #call: Call;
  readonly #lifetime: AbortSignal;
  readonly #state = signal<AirState>({ kind: 'off' });
  readonly #isRaised = signal(false);
  readonly #ended = signal(0);
  /** On everybody's screen, as the broadcast itself says: later than the server's yes, and whatever this page believes. */
  readonly isSeen: ReadonlySignal<boolean>;
  /** On air, or on the way there or back. */
  readonly isOn: ReadonlySignal<boolean>;
  #attempt = 0;
  /** The server has agreed to the end. */
  #isAgreed = false;
  #again: ReturnType<typeof setTimeout> | undefined;

  constructor(call: Call, viewer: Pick<ViewerSession, 'client' | 'broadcast' | 'user'>, asked: number | null, lifetime: AbortSignal) {
    this.#call = call;
    this.#lifetime = lifetime;
    if (asked !== null) this.#state.value = { kind: 'asked', expiresAtMs: asked };
    this.isSeen = computed(() => {
      const me = viewer.user.value?.id;
      return me !== undefined && viewer.broadcast.value?.guest?.user === me;
    });
    this.isOn = computed(() => this.isSeen.value || isGoing(this.#state.value));
    viewer.client.listen((event) => {
      switch (event.type) {
        case 'on_air_invited':
          batch(() => {
            this.#isRaised.value = false;
            // Nobody is invited who is on air.
            if (this.#state.peek().kind === 'leaving') this.#over();
            if (this.#state.peek().kind === 'off') this.#state.value = { kind: 'asked', expiresAtMs: event.expires_at_ms };
          });
          break;
        case 'on_air_over':
          this.#over();
          if (event.ended) this.#ended.value += 1;
          break;
        case 'welcome':
          // Another session has no hand raised and nobody on air.
          if (!event.resumed) {
            this.#isRaised.value = false;
            this.#over();
          } else if (this.#state.peek().kind === 'leaving' && !this.#isAgreed) {
            void this.#end();
          }
          break;
        default:
          // The rest is others' business.
      }
    }, lifetime);
    const stop = effect(() => { if (!this.isSeen.value && this.#isAgreed) this.#gone(); });
    lifetime.addEventListener('abort', () => {
      stop();
      clearTimeout(this.#again);
    }, { once: true });
  }

  get state(): ReadonlySignal<AirState> {
    return this.#state;
  }
  get isRaised(): ReadonlySignal<boolean> {
    return this.#isRaised;
  }
  /** How often the broadcaster has taken this person off air. */
  get ended(): ReadonlySignal<number> {
    return this.#ended;
  }

  /** Rejects with a `RequestError`, as all of these do. */
  async raise(raised: boolean): Promise<void> {
    await this.#call.onAir({ ask: 'raise_hand', raised });
    this.#isRaised.value = raised;
  }

  /** Camera and microphone are open by now. */
  async accept(): Promise<void> {
    if (this.#state.peek().kind !== 'asked') return;
    const before = this.#state.peek();
    this.#state.value = { kind: 'going' };
    try {
      await this.#call.onAir({ ask: 'answer', accept: true });
    } catch (thrown) {
      // It may have been taken back meanwhile.
      if (this.#state.peek().kind === 'going') {
        const { code } = asRequestError(thrown);
        // Without an answer it may have been a yes.
        if (code === 'disconnected' || code === 'timeout') this.#leave();
        else this.#state.value = before;
      }
      throw thrown;
    }
    if (this.#state.peek().kind !== 'going') return;
    this.#state.value = { kind: 'on' };
    this.#call.media.enter('air');
  }

  /** Only what is asked can be refused: a yes that is under way is taken back by leaving. */
  async refuse(): Promise<void> {
    if (this.#state.peek().kind !== 'asked') return;
    this.#state.value = { kind: 'off' };
    if (!this.#call.isOn.peek()) this.#call.devices.close();
    await this.#call.onAir({ ask: 'answer', accept: false });
  }

  /** Sends nothing to anybody but friends from now on, and tells the server until it knows. */
  leave(): void {
    if (this.isOn.peek() && this.#state.peek().kind !== 'leaving') this.#leave();
  }

  #leave(): void {
    this.#state.value = { kind: 'leaving' };
    [this.#attempt, this.#isAgreed] = [0, false];
    this.#letGo();
    void this.#end();
  }

  async #end(): Promise<void> {
    clearTimeout(this.#again);
    try {
      await this.#call.onAir({ ask: 'end' });
    } catch (thrown) {
      const error = asRequestError(thrown);
      if (this.#state.peek().kind !== 'leaving' || this.#lifetime.aborted) return;
      // Without a connection the next one brings it about.
      if (error.code === 'disconnected') return;
      if (error.retryable) {
        this.#again = setTimeout(() => { if (this.#state.peek().kind === 'leaving') void this.#end(); }, error.retryAfterMs ?? backoffMs(this.#attempt++, Math.random()));
        return;
      }
      // Refused for good: this session has nobody on air.
    }
    if (this.#state.peek().kind !== 'leaving' || this.#lifetime.aborted) return;
    this.#isAgreed = true;
    if (this.isSeen.peek()) this.#again = setTimeout(() => this.#gone(), NAMED_FOR_MS);
    else this.#gone();
  }

  #gone(): void {
    clearTimeout(this.#again);
    if (this.#state.peek().kind === 'leaving') this.#state.value = { kind: 'off' };
  }

  #over(): void {
    clearTimeout(this.#again);
    const { kind } = this.#state.peek();
    if (kind === 'off') return;
    this.#state.value = { kind: 'off' };
    if (kind !== 'leaving') this.#letGo();
  }

  #letGo(): void {
    this.#call.media.leave('air');
    if (!this.#call.isOn.peek()) this.#call.devices.close();
    else void this.#call.devices.forAir(false);
  }
}

function isGoing({ kind }: AirState): boolean {
  switch (kind) {
    case 'going': case 'on': case 'leaving': return true;
    case 'off': case 'asked': return false;
  }
}
