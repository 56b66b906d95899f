// Whose page this is, in one place: the token for REST and `hello`, and who it names.
//
//   guest ──sign up, sign in──▶ account ──every few minutes: renewed by the cookie──▶ account
//     ▲                            │
//     └── signed out: here, in another tab, or by the server (elsewhere) ──┘
//
// A guest's token is kept between visits (`identity.ts`). An account's token lives in memory alone; what is kept is only that there is an
// account, so that the next page asks for a token before it says who it is. All tabs are one person: one of them renews, the others hear of it.
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Account } from '../protocol';
import { type Fresh, refresh } from './auth_api';
import { backoffMs } from './backoff';
import { asRequestError } from './errors';
import { storeIdentity, storedIdentity } from './identity';

/** What is known of an account before the server has been asked: enough to draw the header. */
export type Known = Pick<Account, 'id' | 'name' | 'picture_version'>;

export type Who =
  /** `ended`: the server has signed this device out; the person did not. */
  | { kind: 'guest'; ended: boolean }
  /** `account` once the server has told it. */
  | { kind: 'account'; known: Known; account: Account | null };

/** What tabs tell each other. */
export type Word = { type: 'fresh'; fresh: Fresh } | { type: 'changed'; account: Account } | { type: 'out'; ended: boolean };

export type Surroundings = {
  /** What this browser knows about the account between visits. */
  remembered: () => Known | null;
  remember: (known: Known | null) => void;
  tell: (word: Word) => void;
  /** Runs `run` when no other tab does. `waited`: another one did, just before. */
  alone: <T>(run: (waited: boolean) => Promise<T>) => Promise<T>;
  renew: () => Promise<Fresh>;
  nowMs: () => number;
};

/** A token is not handed out when it has less than this to live, ms: the request needs time to arrive. */
const LEAST_LIFE_MS = 15_000;
/** It is renewed by itself when it has this long to live, ms. */
const RENEW_BEFORE_MS = 75_000;
/** Tabs come to their renewals one after the other: the first renews, the others have heard of it, ms. */
const SPREAD_MS = 20_000;
/** Until a refusal that does not pass by itself (a proxy in between, perhaps) is tried again, ms. */
const REFUSED_PAUSE_MS = 60_000;
/** What another tab has said just before it let us in may still be on its way, ms. */
const WORD_ON_ITS_WAY_MS = 60;

export class Bearer {
  readonly #around: Surroundings;
  readonly #who: Signal<Who>;
  #fresh: Fresh | null = null;
  #renewing: Promise<string | null> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;

  constructor(around: Surroundings, lifetime: AbortSignal) {
    this.#around = around;
    const known = around.remembered();
    this.#who = signal<Who>(known ? { kind: 'account', known, account: null } : { kind: 'guest', ended: false });
    lifetime.addEventListener('abort', () => clearTimeout(this.#timer), { once: true });
    // At once: what the page says next it says as this person.
    if (known) void this.#renewQuietly();
  }

  get who(): ReadonlySignal<Who> {
    return this.#who;
  }

  /**
   * The token to speak with now; `null`: none yet, whoever asks becomes a guest. At hand for a guest and most of the time for an account;
   * else a promise, which rejects with a `RequestError` when the server cannot be asked.
   */
  token(): string | null | Promise<string | null> {
    if (this.#who.value.kind === 'guest') return storedIdentity();
    if (this.#fresh && this.#fresh.goodUntilMs - this.#around.nowMs() > LEAST_LIFE_MS) return this.#fresh.token;
    return this.#renew();
  }

  /** Signed in, or up, or with a new password. */
  signedIn(fresh: Fresh): void {
    // A guest who has become somebody is that somebody; one who signs in as another is left behind.
    storeIdentity(null);
    this.#adopt(fresh);
    this.#around.tell({ type: 'fresh', fresh });
  }

  /** The person leaves, here and in every tab. */
  signedOut(): void {
    this.#leave(false);
    this.#around.tell({ type: 'out', ended: false });
  }

  /** Name, picture or address have changed. The next token carries the new name. */
  changed(account: Account): void {
    this.#isNow(account);
    this.#around.tell({ type: 'changed', account });
  }

  /** Rejects with a `RequestError`. */
  async renewNow(): Promise<void> {
    this.#fresh = null;
    await this.#renew();
  }

  /** The server has given a guest a token. */
  guest(token: string): void {
    if (this.#who.value.kind === 'guest') storeIdentity(token);
  }

  /** The server does not take `token` (any more): a guest begins anew, an account asks for another one. `false`: that was not ours. */
  refused(token: string | null): boolean {
    if (this.#who.value.kind === 'account') {
      if (token !== null && this.#fresh?.token === token) this.#fresh = null;
      return true;
    }
    if (token === null || storedIdentity() !== token) return false;
    storeIdentity(null);
    return true;
  }

  /** Another tab has spoken. */
  heard(word: Word): void {
    switch (word.type) {
      case 'fresh':
        storeIdentity(null);
        this.#adopt(word.fresh);
        break;
      case 'changed':
        this.#isNow(word.account);
        break;
      case 'out':
        this.#leave(word.ended);
        break;
    }
  }

  /** The page is seen again and may have missed something: what this browser remembers is the truth. */
  lookAgain(): void {
    const known = this.#around.remembered();
    const who = this.#who.value;
    if (!known && who.kind === 'account') this.#leave(false);
    else if (known && (who.kind === 'guest' || who.known.id !== known.id)) {
      this.#fresh = null;
      this.#who.value = { kind: 'account', known, account: null };
    }
    if (this.#who.value.kind === 'account' && this.#lifeLeftMs() < RENEW_BEFORE_MS) void this.#renewQuietly();
  }

  #lifeLeftMs(): number {
    return this.#fresh ? this.#fresh.goodUntilMs - this.#around.nowMs() : 0;
  }

  #renew(): Promise<string | null> {
    this.#renewing ??= this.#around.alone((waited) => this.#renewAlone(waited)).finally(() => { this.#renewing = null; });
    return this.#renewing;
  }

  async #renewAlone(waited: boolean): Promise<string | null> {
    if (waited) await new Promise((resolve) => setTimeout(resolve, WORD_ON_ITS_WAY_MS));
    if (this.#who.value.kind === 'guest') return storedIdentity();
    if (waited && this.#fresh && this.#lifeLeftMs() > RENEW_BEFORE_MS) return this.#fresh.token;
    try {
      const fresh = await this.#around.renew();
      this.#failures = 0;
      // Somebody may have signed out while this was under way; then the cookie is gone, and so is its answer.
      if (this.#signedOutMeanwhile()) return storedIdentity();
      this.#adopt(fresh);
      this.#around.tell({ type: 'fresh', fresh });
      return fresh.token;
    } catch (thrown) {
      const error = asRequestError(thrown);
      if (error.code !== 'sign_in_ended') throw error;
      if (!this.#signedOutMeanwhile()) {
        this.#leave(true);
        this.#around.tell({ type: 'out', ended: true });
      }
      return null;
    }
  }

  #signedOutMeanwhile(): boolean {
    return this.#who.value.kind === 'guest';
  }

  /** For the timer: nobody waits for the answer, so a failure is only tried again. */
  async #renewQuietly(): Promise<void> {
    try {
      await this.#renew();
    } catch (thrown) {
      const { retryable, retryAfterMs } = asRequestError(thrown);
      this.#failures += 1;
      this.#wakeIn(Math.max(retryAfterMs ?? 0, retryable ? backoffMs(2 + this.#failures, Math.random()) : REFUSED_PAUSE_MS));
    }
  }

  #adopt(fresh: Fresh): void {
    this.#fresh = fresh;
    this.#knows(fresh.account);
    const spread = Math.random() * SPREAD_MS;
    this.#wakeIn(Math.max(LEAST_LIFE_MS, fresh.goodUntilMs - this.#around.nowMs() - RENEW_BEFORE_MS + spread));
  }

  #isNow(account: Account): void {
    const who = this.#who.value;
    // The token that there is names somebody else by now.
    if (who.kind === 'account' && who.known.name !== account.name) this.#fresh = null;
    this.#knows(account);
  }

  #knows(account: Account): void {
    const { id, name, picture_version } = account;
    const known = { id, name, picture_version };
    this.#around.remember(known);
    this.#who.value = { kind: 'account', known, account };
  }

  #leave(ended: boolean): void {
    clearTimeout(this.#timer);
    this.#fresh = null;
    this.#around.remember(null);
    if (this.#who.value.kind === 'account') this.#who.value = { kind: 'guest', ended };
  }

  #wakeIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#renewQuietly(), ms);
  }
}

const KEY = 'courtside.account';
const CHANNEL = 'courtside.bearer';
const LOCK = 'courtside.refresh';

/** The browser's own: storage, a channel between its tabs, a lock over them. */
function browser(channel: BroadcastChannel | null): Surroundings {
  /** Storage may be forbidden (private windows, embedded pages): then an account is known as long as the page lives. */
  let alone: { known: Known | null } | null = null;
  return {
    remembered: () => {
      if (alone) return alone.known;
      try {
        const known: unknown = JSON.parse(localStorage.getItem(KEY) ?? 'null');
        return isKnown(known) ? known : null;
      } catch {
        return null;
      }
    },
    remember: (known) => {
      try {
        if (known) localStorage.setItem(KEY, JSON.stringify(known));
        else localStorage.removeItem(KEY);
        alone = null;
      } catch {
        alone = { known };
      }
    },
    tell: (word) => channel?.postMessage(word),
    alone: async (run) => {
      // Plain http on another host than this one has no locks; the server forgives two tabs that renew at once.
      const locks = globalThis.navigator?.locks;
      if (!locks) return run(false);
      const atOnce = await locks.request(LOCK, { ifAvailable: true }, async (lock) => (lock ? { done: await run(false) } : null));
      return atOnce ? atOnce.done : locks.request(LOCK, () => run(true));
    },
    renew: refresh,
    nowMs: Date.now,
  };
}

function isKnown(value: unknown): value is Known {
  return typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string'
    && 'name' in value && typeof value.name === 'string' && 'picture_version' in value && typeof value.picture_version === 'number';
}

let bearer: Bearer | null = null;

/** The one of this page; lives as long as the page does. */
export function theBearer(): Bearer {
  if (bearer) return bearer;
  const inPage = typeof document !== 'undefined';
  const channel = inPage && 'BroadcastChannel' in globalThis ? new BroadcastChannel(CHANNEL) : null;
  const made = new Bearer(browser(channel), new AbortController().signal);
  bearer = made;
  channel?.addEventListener('message', (event: MessageEvent<Word>) => made.heard(event.data));
  if (inPage) {
    addEventListener('pageshow', () => made.lookAgain());
    addEventListener('storage', (event) => { if (event.key === KEY) made.lookAgain(); });
    document.addEventListener('visibilitychange', () => { if (!document.hidden) made.lookAgain(); });
  }
  return made;
}
