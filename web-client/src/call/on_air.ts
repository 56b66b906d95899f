// Coming on air as a guest: a raised hand, the broadcaster's invitation, and being seen by everybody. Uses the call's camera and its m-lines.
import { type ReadonlySignal, batch, computed, signal } from '@preact/signals';
import type { ViewerSession } from '../lib/viewer';
import type { Call } from './call';

export type AirState =
  | { kind: 'off' }
  /** The broadcaster asks; the answer counts until `expiresAtMs` (ms since the Unix epoch, by the server's clock). */
  | { kind: 'asked'; expiresAtMs: number }
  | { kind: 'going' }
  | { kind: 'on' };

export class OnAir {
  readonly #call: Call;
  readonly #state = signal<AirState>({ kind: 'off' });
  readonly #isRaised = signal(false);
  readonly #ended = signal(0);
  /** On everybody's screen, as the broadcast itself says: it may be later than the server's yes. */
  readonly isSeen: ReadonlySignal<boolean>;

  constructor(call: Call, viewer: Pick<ViewerSession, 'client' | 'broadcast' | 'user'>, asked: number | null, lifetime: AbortSignal) {
    this.#call = call;
    if (asked !== null) this.#state.value = { kind: 'asked', expiresAtMs: asked };
    this.isSeen = computed(() => this.#state.value.kind === 'on' && viewer.broadcast.value?.guest?.user === viewer.user.value?.id);
    viewer.client.listen((event) => {
      switch (event.type) {
        case 'on_air_invited':
          batch(() => {
            this.#isRaised.value = false;
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
          }
          break;
        default:
          // The rest is others' business.
      }
    }, lifetime);
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
      this.#state.value = before;
      throw thrown;
    }
    // It may have been taken back meanwhile.
    if (this.#state.peek().kind !== 'going') return;
    this.#state.value = { kind: 'on' };
    this.#call.media.enter('air');
  }

  async refuse(): Promise<void> {
    this.#state.value = { kind: 'off' };
    if (!this.#call.isOn.peek()) this.#call.devices.close();
    await this.#call.onAir({ ask: 'answer', accept: false });
  }

  async leave(): Promise<void> {
    this.#over();
    await this.#call.onAir({ ask: 'end' });
  }

  #over(): void {
    if (this.#state.peek().kind === 'off') return;
    this.#state.value = { kind: 'off' };
    this.#call.media.leave('air');
    if (!this.#call.isOn.peek()) this.#call.devices.close();
    else void this.#call.devices.forAir(false);
  }
}
