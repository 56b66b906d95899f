// One signaling conversation with `/v1/ws`: connects, keeps itself alive, comes back by itself, matches answers to requests.
//
// The only place that retries connections. Knows nothing of broadcasts or media. Ends when its `AbortSignal` does. A page has one, which
// `connection.ts` shares out.
//
//   connecting ──welcome──▶ open ──socket lost──▶ waiting ──back-off──▶ connecting
//        └──────────── refused (protocol) or replaced ──▶ stopped
import { type ReadonlySignal, signal } from '@preact/signals';
import type { ClientMessage, IceServer, ServerMessage, UserView } from '../protocol';
import { PROTOCOL_VERSION } from '../protocol';
import { BACKOFF_CAP_MS, backoffMs } from './backoff';
import { type Who, theBearer } from './bearer';
import { ServerClock } from './clock';
import { RequestError } from './errors';

export type SignalingState =
  | { kind: 'connecting' }
  | { kind: 'open' }
  /** The next attempt is at `retryAtMs` (`performance.now()`). */
  | { kind: 'waiting'; retryAtMs: number }
  /** Asking again by itself would get the same answer; `retryNow` asks all the same. */
  | { kind: 'stopped'; error: RequestError | null };

type Answers = {
  ping: 'pong';
  join: 'joined';
  offer: 'answer';
  leave: 'done';
  close_peer: 'done';
  quality: 'done';
  watch_stats: 'done';
  update_broadcast: 'done';
  mark: 'done';
  unmark: 'done';
  end_broadcast: 'done';
  enter_chat: 'chat_entered';
  leave_chat: 'done';
  say: 'said';
  change_chat: 'done';
  report_message: 'done';
  watch_friends: 'friends_online';
  unwatch_friends: 'done';
  call: 'call_entered' | 'call_link' | 'done';
  on_air: 'done';
};
export type RequestType = keyof Answers;
export type Request<T extends RequestType> = Omit<Extract<ClientMessage, { type: T }>, 'id'>;
export type AnswerTo<T extends RequestType> = Extract<ServerMessage, { type: Answers[T] }>;

/** What the server says of its own accord. `welcome` comes after every connect: `resumed` tells whether the session went on. */
export type SignalingEvent = Exclude<ServerMessage, { type: 'pong' | 'joined' | 'done' | 'answer' | 'chat_entered' | 'said' | 'friends_online' | 'call_entered' | 'call_link' | 'error' | 'bye' }>;

/** A request unanswered for this long has failed, ms. */
const REQUEST_TIMEOUT_MS = 8_000;
/** From opening the socket to `welcome`, ms. */
const CONNECT_TIMEOUT_MS = 6_000;
/** A ping unanswered for this long means the connection is dead, ms. TCP alone would take minutes to notice. */
const PONG_TIMEOUT_MS = 5_000;
/** The first pings follow each other closely, so that the clock is good when the first frame shows, ms. */
const EARLY_PINGS_MS = [100, 400, 1_200];
/** A connection that lasted this long resets the back-off, ms. */
const STABLE_AFTER_MS = 5_000;

/** Any code but 1000 and 1001 lets the session wait, so that its media goes on until the next session has its own. */
const CLOSE_TO_COME_BACK = 4000;
/** The session ends with its connection (RFC 6455 section 7.4.1). */
const CLOSE_FOR_GOOD = 1000;

const CLIENT_NAME = 'courtside-web/0.1.0';

type Pending = { resolve: (answer: ServerMessage) => void; reject: (error: RequestError) => void; timer: ReturnType<typeof setTimeout> };
type SocketLike = Pick<WebSocket, 'send' | 'close' | 'addEventListener'>;

export type SignalingOptions = {
  /** `ws:` or `wss:` address of `/v1/ws`. */
  url: string;
  /** Ends everything. */
  lifetime: AbortSignal;
  /** Replaced in tests. */
  openSocket?: (url: string) => SocketLike;
};

/** Address of the signaling endpoint for a page at `href`. */
export function signalingUrl(href: string): string {
  const url = new URL('/v1/ws', href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

export class SignalingClient {
  readonly clock = new ServerClock();
  readonly #state = signal<SignalingState>({ kind: 'connecting' });
  readonly #user = signal<UserView | null>(null);
  readonly #options: SignalingOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(event: SignalingEvent) => void>();
  /** Lives as long as the current socket. */
  #connection: AbortController | null = null;
  #socket: SocketLike | null = null;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;
  #nextId = 1;
  #resume: string | null = null;
  #token: string | null = null;
  /** As whom the last `hello` was said; `null`: the next one is about to be said. */
  #saidAs: Who | null = null;
  #iceServers: IceServer[] = [];

  constructor(options: SignalingOptions) {
    this.#options = options;
    options.lifetime.addEventListener('abort', () => this.#stop(null, CLOSE_FOR_GOOD), { once: true });
    // `online` and a tab that comes back to the front are the best hints there are that waiting has become pointless.
    for (const hint of ['online', 'focus', 'pageshow']) {
      globalThis.addEventListener?.(hint, () => this.#hurry(), { signal: options.lifetime });
    }
    if (options.lifetime.aborted) {
      this.#stop(null);
      return;
    }
    this.#connect();
  }

  get state(): ReadonlySignal<SignalingState> {
    return this.#state;
  }

  /** Who this page is, from the last `welcome`. */
  get user(): ReadonlySignal<UserView | null> {
    return this.#user;
  }

  /** From the last `welcome`. */
  get iceServers(): readonly IceServer[] {
    return this.#iceServers;
  }

  get isOpen(): boolean {
    return this.#state.value.kind === 'open';
  }

  /** Whether the server takes this page for whoever it is now: nobody has signed in or out since `hello`, or it is about to be said. */
  get isAsBearer(): boolean {
    return this.#saidAs === null || idOf(this.#saidAs) === idOf(theBearer().who.value);
  }

  /** Hears every event until `lifetime` aborts. */
  listen(listener: (event: SignalingEvent) => void, lifetime: AbortSignal): void {
    if (lifetime.aborted) return;
    this.#listeners.add(listener);
    lifetime.addEventListener('abort', () => this.#listeners.delete(listener), { once: true });
  }

  /** Asks; rejects with a `RequestError`, at once when there is no connection. */
  request<T extends RequestType>(type: T, body: Omit<Request<T>, 'type'>): Promise<AnswerTo<T>> {
    if (!this.isOpen) return Promise.reject(RequestError.disconnected());
    const id = this.#nextId++;
    return new Promise<AnswerTo<T>>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(RequestError.timeout());
      }, REQUEST_TIMEOUT_MS);
      this.#pending.set(id, { resolve: resolve as (answer: ServerMessage) => void, reject, timer });
      this.#send({ ...body, type, id } as unknown as ClientMessage);
    });
  }

  /** Says something that needs no answer. Lost without a connection. */
  tell(message: Extract<ClientMessage, { type: 'report' | 'candidate' | 'view_size' | 'react' | 'call_pace' }>): void {
    if (this.isOpen) this.#send(message);
  }

  /** Ends a wait early. */
  #hurry(): void {
    if (this.#state.value.kind === 'waiting') this.retryNow();
  }

  /** A person asks: ends a wait early, and tries again even what was stopped. */
  retryNow(): void {
    const { kind } = this.#state.value;
    if (this.#options.lifetime.aborted || kind === 'open' || kind === 'connecting') return;
    clearTimeout(this.#retryTimer);
    this.#connect();
  }

  #connect(): void {
    this.#state.value = { kind: 'connecting' };
    const connection = new AbortController();
    this.#connection = connection;
    const open = this.#options.openSocket ?? ((url: string) => new WebSocket(url));
    let socket: SocketLike;
    try {
      socket = open(this.#options.url);
    } catch {
      this.#lost(connection, null);
      return;
    }
    this.#socket = socket;
    const opened = { helloAtMs: performance.now() };
    const { signal: life } = connection;
    const timeout = setTimeout(() => this.#lost(connection, null), CONNECT_TIMEOUT_MS);
    life.addEventListener('abort', () => clearTimeout(timeout), { once: true });
    socket.addEventListener('open', () => {
      opened.helloAtMs = performance.now();
      const token = theBearer().token();
      if (!(token instanceof Promise)) return this.#sayHello(token);
      token.then((asked) => {
        opened.helloAtMs = performance.now();
        if (!life.aborted) this.#sayHello(asked);
      }, () => this.#lost(connection, null));
    }, { signal: life });
    socket.addEventListener('close', () => this.#lost(connection, null), { signal: life });
    socket.addEventListener('error', () => this.#lost(connection, null), { signal: life });
    socket.addEventListener('message', (event: MessageEvent) => {
      const message = parse(event.data);
      if (!message) return;
      if (message.type === 'welcome') clearTimeout(timeout);
      this.#handle(message, connection, opened.helloAtMs);
    }, { signal: life });
  }

  #sayHello(token: string | null): void {
    this.#token = token;
    this.#saidAs = theBearer().who.value;
    this.#send({
      type: 'hello',
      protocol: PROTOCOL_VERSION,
      client: CLIENT_NAME,
      ...(token ? { token } : {}),
      ...(this.#resume ? { resume: this.#resume } : {}),
    });
  }

  /**
   * Somebody may have signed in or out, or have another name: then hello is said anew, as them. The same person goes on with the session;
   * anybody else's waits out its window, media and all.
   */
  become(who: Who): void {
    if (this.#saidAs === null || nameOf(this.#saidAs) === nameOf(who) || this.#options.lifetime.aborted) return;
    this.#saidAs = null;
    if (who.kind === 'guest' || who.known.id !== this.#user.value?.id) this.#resume = null;
    if (this.#connection && !this.#connection.signal.aborted) this.#comeBack(this.#connection);
  }

  #comeBack(connection: AbortController): void {
    this.#drop(connection, CLOSE_TO_COME_BACK);
    this.#connect();
  }

  #handle(message: ServerMessage, connection: AbortController, helloAtMs: number): void {
    switch (message.type) {
      case 'welcome':
        this.#welcome(message, connection, helloAtMs);
        break;
      case 'pong':
        this.clock.sample(message.client_time_ms, message.server_time_ms, performance.now());
        this.#settle(message.id)?.resolve(message);
        break;
      case 'joined':
      case 'done':
      case 'answer':
      case 'chat_entered':
      case 'said':
      case 'friends_online':
      case 'call_entered':
      case 'call_link':
        this.#settle(message.id)?.resolve(message);
        break;
      case 'error': {
        const error = RequestError.fromView(message.error);
        if (message.id !== undefined) this.#settle(message.id)?.reject(error);
        else if (!this.isOpen) this.#helloRefused(error, connection);
        break;
      }
      case 'bye':
        if (message.reason === 'replaced') this.#stop(new RequestError('conflict', message.message, false));
        // No way back offered means that we are thought to be broken: come back all the same, but slowly.
        else this.#lost(connection, message.reconnect_after_ms ?? BACKOFF_CAP_MS);
        break;
      default:
        // A copy, because a listener may add or remove listeners.
        for (const listener of [...this.#listeners]) listener(message);
    }
  }

  #welcome(welcome: Extract<ServerMessage, { type: 'welcome' }>, connection: AbortController, helloAtMs: number): void {
    this.clock.sample(helloAtMs, welcome.server_time_ms, performance.now());
    if (welcome.resumed && isOutdated(welcome.user, theBearer().who.value)) {
      // The session goes by what it was begun with: a guest's name stays a guest's. A new one knows the account.
      this.#resume = null;
      this.#comeBack(connection);
      return;
    }
    this.#resume = welcome.resume;
    this.#iceServers = welcome.ice_servers;
    if (welcome.token) theBearer().guest(welcome.token);
    this.#user.value = welcome.user;
    this.#state.value = { kind: 'open' };
    this.#keepAlive(welcome.ping_interval_ms, connection);
    const stable = setTimeout(() => (this.#attempt = 0), STABLE_AFTER_MS);
    connection.signal.addEventListener('abort', () => clearTimeout(stable), { once: true });
    for (const listener of [...this.#listeners]) listener(welcome);
  }

  #keepAlive(intervalMs: number, connection: AbortController): void {
    const ping = (): void => {
      const answer = this.request('ping', { client_time_ms: performance.now() });
      const dead = setTimeout(() => this.#lost(connection, null), PONG_TIMEOUT_MS);
      // Dropping the connection rejects the ping, so the timer never outlives it.
      answer.catch(() => undefined).finally(() => clearTimeout(dead));
    };
    const early = EARLY_PINGS_MS.map((afterMs) => setTimeout(ping, afterMs));
    const steady = setInterval(ping, Math.max(1_000, intervalMs * 0.8));
    connection.signal.addEventListener('abort', () => {
      early.forEach(clearTimeout);
      clearInterval(steady);
    }, { once: true });
  }

  #helloRefused(error: RequestError, connection: AbortController): void {
    if (error.code === 'unsupported_protocol') {
      this.#stop(error);
    } else if ((error.code === 'invalid_token' || error.code === 'token_expired') && theBearer().refused(this.#token)) {
      // The server's key changed or the token is old: an account asks for another, anybody else goes on as a new guest rather than not at all.
      this.#resume = null;
      this.#lost(connection, theBearer().who.value.kind === 'guest' ? 0 : null);
    } else if (!error.retryable) {
      this.#stop(error);
    } else {
      this.#lost(connection, null);
    }
  }

  /** `afterMs`: the server's wish; jitter is added. */
  #lost(connection: AbortController, afterMs: number | null): void {
    if (connection.signal.aborted) return;
    this.#drop(connection);
    const delay = afterMs === null ? backoffMs(this.#attempt, Math.random()) : afterMs * (1 + Math.random() / 2);
    this.#attempt += 1;
    this.#state.value = { kind: 'waiting', retryAtMs: performance.now() + delay };
    this.#retryTimer = setTimeout(() => this.#connect(), delay);
  }

  #stop(error: RequestError | null, code?: number): void {
    clearTimeout(this.#retryTimer);
    if (this.#connection) this.#drop(this.#connection, code);
    this.#state.value = { kind: 'stopped', error };
  }

  #drop(connection: AbortController, code?: number): void {
    connection.abort();
    this.#socket?.close(code);
    this.#socket = null;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const request of pending) {
      clearTimeout(request.timer);
      request.reject(RequestError.disconnected());
    }
  }

  #settle(id: number): Pending | undefined {
    const request = this.#pending.get(id);
    if (request) {
      clearTimeout(request.timer);
      this.#pending.delete(id);
    }
    return request;
  }

  #send(message: ClientMessage): void {
    this.#socket?.send(JSON.stringify(message));
  }
}

function idOf(who: Who): string {
  return who.kind === 'guest' ? 'guest' : who.known.id;
}

/** What others see: with another name somebody is announced anew. */
function nameOf(who: Who): string {
  return who.kind === 'guest' ? 'guest' : `${who.known.id} ${who.known.name}`;
}

function isOutdated(user: UserView, who: Who): boolean {
  return who.kind === 'account' && (user.guest || user.name !== who.known.name);
}

function parse(data: unknown): ServerMessage | null {
  try {
    const message: unknown = JSON.parse(String(data));
    return typeof message === 'object' && message !== null && 'type' in message ? (message as ServerMessage) : null;
  } catch {
    return null;
  }
}
