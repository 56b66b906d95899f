// A connection to the server that is shared out: whoever speaks over it holds a `Share`. Opened with the first share, closed a short while
// after the last one. Decides nothing about matches or friends; keeps those who share out of each other's way. A page has one of these, and only
// where it has to another: see `connections.ts`.
//
//   viewer, publisher, chat ──join──▶ the place: the one broadcast of the session. Its news is for those who joined it.
//   friends' link ───────────────────▶ news about people is for everybody.
//
// Who signs in or out says hello anew on the same connection, unless something goes over it that must not be disturbed.
import { type ReadonlySignal, computed, signal } from '@preact/signals';
import type { BroadcastView, IceServer, UserView } from '../protocol';
import { theBearer } from './bearer';
import type { ServerClock } from './clock';
import { RequestError, asRequestError } from './errors';
import { type AnswerTo, type Request, type RequestType, SignalingClient, type SignalingEvent, type SignalingOptions, type SignalingState } from './signaling';

/** How long it stays open for nobody, ms: from one place of the page to the next, whose code may have to be loaded. */
export const LINGER_MS = 5_000;

/** Whom an event is for: who has joined the broadcast that it is about, or everybody. */
const AUDIENCE: { readonly [K in SignalingEvent['type']]: 'joined' | 'everybody' } = {
  welcome: 'everybody', presence: 'everybody', friend_changed: 'everybody', private_message: 'everybody', messages_read: 'everybody',
  call_ring: 'everybody', call_ring_over: 'everybody',
  broadcast: 'joined', viewers: 'joined', transport: 'joined', layers: 'joined', layer: 'joined', slots: 'joined', track_clock: 'joined',
  cannot_decode: 'joined', peer_state: 'joined', playing: 'joined', unwatched: 'joined', publisher_refused: 'joined', stats: 'joined',
  chat: 'joined', chat_resync: 'joined', call: 'joined', call_over: 'joined', call_speaking: 'joined', call_said: 'joined',
  call_reacted: 'joined', call_played: 'joined', call_paced: 'joined', hands: 'joined', on_air_invited: 'joined', on_air_over: 'joined',
};

type Joined = AnswerTo<'join'>;
export type JoinBody = Omit<Request<'join'>, 'type'>;
/** Joining is `Share.join`; leaving comes with the end of the last share that has joined. */
type Asked = Exclude<RequestType, 'join' | 'leave'>;

type Place = {
  readonly key: string;
  readonly shares: Set<Share>;
  isJoined: boolean;
  /** With the broadcast as last told. */
  answer: Promise<Joined>;
};

export type ConnectionOptions = Pick<SignalingOptions, 'url' | 'openSocket'>;
export type ShareOptions = {
  /** What goes over it is not disturbed when somebody signs in or out: it goes on as whoever began it. */
  stays?: boolean;
};

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #shares = new Set<Share>();
  #client: SignalingClient | null = null;
  #life = new AbortController();
  #place: Place | null = null;
  /** The session has joined something, or may have. */
  #isSeated = false;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Somebody speaks over it, or did a moment ago. */
  get isMade(): boolean {
    return this.#client !== null;
  }
  /** What goes over it is not disturbed. */
  get stays(): boolean {
    return [...this.#shares].some((share) => share.stays);
  }
  /** It goes on as somebody who has signed in or out since. */
  get isLeft(): boolean {
    return this.#client !== null && this.stays && !this.#client.isAsBearer;
  }

  /** A share in it until `lifetime` aborts. */
  share(lifetime: AbortSignal, { stays = false }: ShareOptions = {}): Share {
    clearTimeout(this.#linger);
    const client = this.#client ?? this.#open();
    if (!this.stays) client.become(theBearer().who.value);
    // Whoever comes asks at once, and asks again what was refused.
    client.retryNow();
    const share = new Share(this, client, stays, lifetime);
    this.#shares.add(share);
    if (lifetime.aborted) share.end();
    return share;
  }

  #open(): SignalingClient {
    const life = new AbortController();
    const client = new SignalingClient({ ...this.#options, lifetime: life.signal });
    this.#life = life;
    this.#client = client;
    // Before everybody else: they join anew when they hear of it.
    client.listen((event) => this.#heard(event), life.signal);
    // Whose share ends with the person has left first.
    const forget = theBearer().who.subscribe(() => queueMicrotask(() => this.#personChanged(client)));
    life.signal.addEventListener('abort', forget, { once: true });
    return client;
  }

  #close(): void {
    clearTimeout(this.#linger);
    this.#life.abort();
    this.#client = null;
    this.#place = null;
    this.#isSeated = false;
  }

  #personChanged(client: SignalingClient): void {
    if (client !== this.#client || this.stays) return;
    if (this.#shares.size > 0) client.become(theBearer().who.value);
    else if (!client.isAsBearer) this.#close();
  }

  #heard(event: SignalingEvent): void {
    switch (event.type) {
      case 'welcome':
        if (event.resumed) {
          queueMicrotask(() => this.#settle());
        } else {
          this.#place = null;
          this.#isSeated = false;
        }
        break;
      case 'broadcast':
        this.#placeChanged(event.broadcast);
        break;
      case 'viewers':
        this.#placeChanged({ viewers: event.count, viewers_peak: event.peak });
        break;
      case 'layers':
        this.#placeChanged({ layers: event.layers });
        break;
      default:
        // For those who share.
    }
  }

  /** Whoever shares the place later is answered with how it is then. */
  #placeChanged(changes: Partial<BroadcastView>): void {
    if (this.#place?.isJoined) this.#place.answer = this.#place.answer.then((joined) => ({ ...joined, broadcast: { ...joined.broadcast, ...changes } }));
  }

  // ---- For shares ----

  /** Whether `share` is to hear it. */
  isFor(share: Share, event: SignalingEvent): boolean {
    // What a newer server says besides is for whoever understands it.
    return AUDIENCE[event.type] !== 'joined' || this.#hasJoined(share);
  }

  #hasJoined(share: Share): boolean {
    return this.#place !== null && this.#place.isJoined && this.#place.shares.has(share);
  }

  /** Joins, or takes part in what is joined with the same words. Rejects with a `RequestError`. */
  join(share: Share, client: SignalingClient, body: JoinBody): Promise<Joined> {
    const key = JSON.stringify([body.broadcast, body.token ?? null, body.preview ?? false]);
    const before = this.#place;
    if (before?.key === key) {
      before.shares.add(share);
      return before.answer;
    }
    const place: Place = { key, shares: new Set([share]), isJoined: false, answer: client.request('join', body) };
    this.#place = place;
    // A session has one broadcast. The newcomer is what the page shows now.
    for (const other of before?.shares ?? []) if (other !== share) other.end();
    place.answer = place.answer.then(
      (joined) => {
        place.isJoined = true;
        this.#isSeated = true;
        this.#settle();
        return joined;
      },
      (thrown: unknown) => {
        const error = asRequestError(thrown);
        // Nobody knows whether it was heard.
        if (error.code === 'disconnected' || error.code === 'timeout') this.#isSeated = true;
        if (this.#place === place) this.#place = null;
        this.#settle();
        throw error;
      },
    );
    return place.answer;
  }

  /** The server knows of no place: the next `join` is said. */
  unseat(share: Share): void {
    if (this.#hasJoined(share)) this.#place = null;
  }

  ended(share: Share): void {
    if (!this.#shares.delete(share)) return;
    this.#place?.shares.delete(share);
    if (this.#place?.shares.size === 0) this.#place = null;
    this.#settle();
    if (this.#shares.size === 0) this.#linger = setTimeout(() => this.#close(), LINGER_MS);
    // What stayed for the sake of this share alone need not any longer.
    else if (share.stays && !this.stays) this.#client?.become(theBearer().who.value);
  }

  /** Leaves what nobody has a part in any more. */
  #settle(): void {
    const client = this.#client;
    if (this.#place !== null || !this.#isSeated || !client?.isOpen) return;
    this.#isSeated = false;
    // A session that is resumed after a lost connection is still there.
    client.request('leave', {}).catch((thrown: unknown) => { if (asRequestError(thrown).retryable) this.#isSeated = true; });
  }
}

/** One who speaks on the connection. After its end it is to them as if the connection had ended: nothing is heard, and what is asked fails. */
export class Share {
  readonly #connection: Connection;
  readonly #client: SignalingClient;
  readonly #life = new AbortController();
  readonly #hasEnded = signal(false);
  readonly #state: ReadonlySignal<SignalingState>;

  constructor(connection: Connection, client: SignalingClient, readonly stays: boolean, lifetime: AbortSignal) {
    this.#connection = connection;
    this.#client = client;
    this.#state = computed(() => (this.#hasEnded.value ? { kind: 'stopped', error: null } : client.state.value));
    lifetime.addEventListener('abort', () => this.end(), { once: true, signal: this.#life.signal });
  }

  get clock(): ServerClock {
    return this.#client.clock;
  }
  get state(): ReadonlySignal<SignalingState> {
    return this.#state;
  }
  /** See `SignalingClient.user`. */
  get user(): ReadonlySignal<UserView | null> {
    return this.#client.user;
  }
  get iceServers(): readonly IceServer[] {
    return this.#client.iceServers;
  }
  get isOpen(): boolean {
    return !this.#life.signal.aborted && this.#client.isOpen;
  }

  /** Hears what is for this share until `lifetime` aborts. Whoever comes late has missed a `welcome`: see `isOpen`. */
  listen(listener: (event: SignalingEvent) => void, lifetime: AbortSignal): void {
    const both = AbortSignal.any([lifetime, this.#life.signal]);
    this.#client.listen((event) => { if (this.#connection.isFor(this, event)) listener(event); }, both);
  }

  /** See `SignalingClient.request`. */
  async request<T extends Asked>(type: T, body: Omit<Request<T>, 'type'>): Promise<AnswerTo<T>> {
    if (!this.isOpen) throw RequestError.disconnected();
    try {
      return await this.#whileHere(this.#client.request(type, body));
    } catch (thrown) {
      const error = asRequestError(thrown);
      if (type === 'offer' && error.code === 'not_joined') this.#connection.unseat(this);
      throw error;
    }
  }

  /** Has this broadcast be the session's. Whoever had another one is at their end; the same one is shared. Rejects with a `RequestError`. */
  async join(body: JoinBody): Promise<Joined> {
    if (!this.isOpen) throw RequestError.disconnected();
    return this.#whileHere(this.#connection.join(this, this.#client, body));
  }

  /** See `SignalingClient.tell`. */
  tell(message: Parameters<SignalingClient['tell']>[0]): void {
    if (!this.#life.signal.aborted) this.#client.tell(message);
  }

  /** See `SignalingClient.retryNow`. */
  retryNow(): void {
    if (!this.#life.signal.aborted) this.#client.retryNow();
  }

  end(): void {
    if (this.#life.signal.aborted) return;
    this.#life.abort();
    this.#hasEnded.value = true;
    this.#connection.ended(this);
  }

  #whileHere<A>(answer: Promise<A>): Promise<A> {
    const { signal: life } = this.#life;
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(RequestError.disconnected());
      life.addEventListener('abort', gone, { once: true });
      answer.then(resolve, reject).finally(() => life.removeEventListener('abort', gone));
    });
  }
}
