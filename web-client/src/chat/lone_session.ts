// The chat of a broadcast without its picture, for a window of its own: joins, and joins again after every lost connection. No DOM.
import { type ReadonlySignal, computed, signal } from '@preact/signals';
import { backoffMs } from '../lib/backoff';
import type { Connection, Share } from '../lib/connection';
import { type RequestError, asRequestError } from '../lib/errors';
import { personOf } from '../lib/invitation';
import type { SignalingEvent } from '../lib/signaling';
import type { BroadcastView, UserView } from '../protocol';
import type { ChatSession } from './room';

export type LoneOptions = {
  broadcast: string;
  token?: string | undefined;
  /** The page's. */
  connection: Connection;
  lifetime: AbortSignal;
  /** The moment on the screen that this chat goes with. */
  moment: (localMs: number) => number | null | undefined;
};

export class LoneSession implements ChatSession {
  readonly client: Share;
  readonly user: ReadonlySignal<UserView | null>;
  readonly #options: LoneOptions;
  readonly #seat = signal<number | null>(null);
  readonly #broadcast = signal<BroadcastView | null>(null);
  readonly #failure = signal<RequestError | null>(null);
  #seats = 0;
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LoneOptions) {
    const { connection, lifetime } = options;
    this.#options = options;
    this.client = connection.share(lifetime);
    const bearer = options.token ? personOf(options.token) : null;
    this.user = computed(() => bearer ?? this.client.user.value);
    this.client.listen((event) => this.#heard(event), lifetime);
    const stop = this.client.state.subscribe((state) => {
      if (state.kind !== 'open') this.#seat.value = null;
      if (state.kind === 'stopped' && state.error) this.#failure.value = state.error;
    });
    lifetime.addEventListener('abort', () => {
      stop();
      clearTimeout(this.#timer);
    }, { once: true });
    if (this.client.isOpen) void this.#join();
  }

  get seat(): ReadonlySignal<number | null> {
    return this.#seat;
  }
  get broadcast(): ReadonlySignal<BroadcastView | null> {
    return this.#broadcast;
  }
  /** Why there is no broadcast to talk about; `null` while there is, or may be. */
  get failure(): ReadonlySignal<RequestError | null> {
    return this.#failure;
  }

  moment(localMs: number = performance.now()): number | null | undefined {
    return this.#options.moment(localMs);
  }

  #heard(event: SignalingEvent): void {
    if (event.type === 'welcome') {
      if (event.resumed && this.#broadcast.value) this.#seat.value = ++this.#seats;
      else void this.#join();
    } else if (event.type === 'broadcast') {
      this.#broadcast.value = event.broadcast;
    }
  }

  async #join(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      const { broadcast, token } = this.#options;
      // Nobody's viewer: the page with the picture is.
      const joined = await this.client.join({ broadcast, preview: true, ...(token ? { token } : {}) });
      this.#attempt = 0;
      this.#failure.value = null;
      this.#broadcast.value = joined.broadcast;
      this.#seat.value = ++this.#seats;
    } catch (thrown) {
      const error = asRequestError(thrown);
      // A lost connection brings a `welcome` later, and with it the next join.
      if (error.code === 'disconnected' || this.#options.lifetime.aborted) return;
      if (error.retryable || error.code === 'full') this.#timer = setTimeout(() => void this.#join(), backoffMs(2 + this.#attempt++, Math.random()));
      else this.#failure.value = error;
    }
  }
}
