// What moderators see beside the chat: messages that wait for them, what was reported, who may not write, and which words may not be said.
// Whole lists are read once, from then on the server tells what changes. No DOM.
import { type ReadonlySignal, computed, signal } from '@preact/signals';
import { call } from '../lib/api';
import { asRequestError } from '../lib/errors';
import type {
  ChatChange, ChatMessage, DeskEvent, ForbiddenWords, HeldMessage, Report, ReportList, ReportOutcome, ReportedMessage, Restrained, RestrainedPage, Verdict,
} from '../protocol';

/** Lists are read again this long after something was pushed while they were on their way, or after they could not be read, ms. */
const AGAIN_MS = 1_000;
/** So often in a row; then a person may ask. */
const TRIES = 5;

/** Calls `ask` with the token of a moderator. */
export type AsModerator = <T>(ask: (call: { token: string }) => Promise<T>) => Promise<T>;

export type DeskOptions = {
  ask: AsModerator;
  /** The id of the broadcast, once it is known. */
  broadcast: () => string | null;
  change: (change: ChatChange) => Promise<void>;
  lifetime: AbortSignal;
};

export type ListsPhase = 'unread' | 'reading' | 'there' | 'failed';

export class ModerationDesk {
  readonly #options: DeskOptions;
  readonly #held = signal<readonly HeldMessage[]>([]);
  readonly #reports = signal<readonly ReportedMessage[]>([]);
  readonly #restrained = signal<readonly Restrained[]>([]);
  readonly #moreRestrained = signal(false);
  readonly #words = signal<readonly string[]>([]);
  readonly #phase = signal<ListsPhase>('unread');
  readonly #count = computed(() => this.#held.value.length + this.#reports.value.length);
  /** Counts what was pushed about the lists. */
  #pushed = 0;
  #reading = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: DeskOptions) {
    this.#options = options;
    options.lifetime.addEventListener('abort', () => clearTimeout(this.#timer), { once: true });
  }

  /** Messages that wait, the oldest first. */
  get held(): ReadonlySignal<readonly HeldMessage[]> {
    return this.#held;
  }
  /** Messages that were reported, the first reported first. */
  get reports(): ReadonlySignal<readonly ReportedMessage[]> {
    return this.#reports;
  }
  /** Who may not write, the latest first. */
  get restrained(): ReadonlySignal<readonly Restrained[]> {
    return this.#restrained;
  }
  /** Whether there are earlier ones. */
  get moreRestrained(): ReadonlySignal<boolean> {
    return this.#moreRestrained;
  }
  get words(): ReadonlySignal<readonly string[]> {
    return this.#words;
  }
  get phase(): ReadonlySignal<ListsPhase> {
    return this.#phase;
  }
  /** How much waits for a moderator. */
  get count(): ReadonlySignal<number> {
    return this.#count;
  }

  /** The chat lets this moderator in (again). */
  start(held: readonly HeldMessage[]): void {
    this.#held.value = held;
    this.read();
  }

  /** Reads the lists, and again while they change on their way. */
  read(): void {
    clearTimeout(this.#timer);
    void this.#read(++this.#reading, 1);
  }

  async #read(reading: number, attempt: number): Promise<void> {
    const isCurrent = (): boolean => reading === this.#reading && !this.#options.lifetime.aborted;
    const again = (): void => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#read(reading, attempt + 1), AGAIN_MS);
    };
    if (this.#phase.value !== 'there') this.#phase.value = 'reading';
    const before = this.#pushed;
    try {
      const [reports, restrained, words] = await Promise.all([this.#get<ReportList>('reports'), this.#get<RestrainedPage>('restrained'), this.#get<ForbiddenWords>('words')]);
      if (!isCurrent()) return;
      this.#reports.value = reports.reports;
      this.#restrained.value = restrained.restrained;
      this.#moreRestrained.value = restrained.more;
      this.#words.value = words.words;
      this.#phase.value = 'there';
      // What was pushed meanwhile may be missing in what was read.
      if (before !== this.#pushed && attempt < TRIES) again();
    } catch (thrown) {
      if (!isCurrent()) return;
      if (asRequestError(thrown).retryable && attempt < TRIES) again();
      else this.#phase.value = 'failed';
    }
  }

  /** Those who were silenced before the last one that is shown. */
  async readEarlier(): Promise<void> {
    const last = this.#restrained.value.at(-1);
    if (!last) return;
    const page = await this.#get<RestrainedPage>(`restrained?before=${encodeURIComponent(last.person.id)}`);
    const known = new Set(this.#restrained.value.map(({ person }) => person.id));
    this.#restrained.value = [...this.#restrained.value, ...page.restrained.filter(({ person }) => !known.has(person.id))];
    this.#moreRestrained.value = page.more;
  }

  /** The server tells what has changed. */
  take(event: DeskEvent): void {
    switch (event.event) {
      case 'held':
        this.#held.value = [...this.#held.value.filter(({ id }) => id !== event.message.id), event.message];
        return;
      case 'ruled':
        this.#held.value = this.#held.value.filter(({ id }) => id !== event.held);
        return;
      case 'reported':
        this.#reports.value = withReport(this.#reports.value, event.message, event.report);
        break;
      case 'resolved':
        this.#reports.value = this.#reports.value.filter(({ message }) => message !== event.message);
        break;
      case 'restrained':
        this.#restrained.value = [event.restrained, ...without(this.#restrained.value, event.restrained.person.id)];
        break;
      case 'lifted':
        this.#restrained.value = without(this.#restrained.value, event.user);
        break;
      case 'words':
        this.#words.value = event.words;
        break;
      case 'missed':
        this.read();
        return;
    }
    this.#pushed += 1;
  }

  // ---- What a moderator does; each rejects with a `RequestError` ----

  async review(message: HeldMessage, verdict: Verdict): Promise<void> {
    try {
      await this.#options.change({ change: 'review', held: message.id, verdict });
    } catch (thrown) {
      // Somebody else has decided, or it waited too long.
      if (asRequestError(thrown).code !== 'not_found') throw thrown;
    }
    this.#held.value = this.#held.value.filter(({ id }) => id !== message.id);
  }

  async resolve(message: string, outcome: ReportOutcome): Promise<void> {
    try {
      await this.#put(`reports/${encodeURIComponent(message)}`, { outcome });
    } catch (thrown) {
      // Somebody else was quicker.
      if (asRequestError(thrown).code !== 'not_found') throw thrown;
    }
    this.#reports.value = this.#reports.value.filter((reported) => reported.message !== message);
  }

  /** Takes the message away, and with it what was reported of it. */
  async remove(message: string): Promise<void> {
    try {
      await this.#options.change({ change: 'delete', message });
    } catch (thrown) {
      // It is gone already.
      if (asRequestError(thrown).code !== 'not_found') throw thrown;
    }
    await this.resolve(message, 'upheld');
  }

  async silence({ author, message }: ReportedMessage, seconds: number): Promise<void> {
    await this.#options.change({ change: 'restrain', user: author.id, restraint: { action: 'time_out', seconds } });
    await this.resolve(message, 'upheld');
  }

  async lift(user: string): Promise<void> {
    await this.#options.change({ change: 'restrain', user, restraint: { action: 'lift' } });
    this.#restrained.value = without(this.#restrained.value, user);
  }

  async setWords(words: readonly string[]): Promise<void> {
    await this.#options.change({ change: 'words', words: [...words] });
    this.#words.value = words;
  }

  #path(what: string): string {
    return `/api/v1/broadcasts/${encodeURIComponent(this.#options.broadcast() ?? '')}/${what}`;
  }

  #get<T>(what: string): Promise<T> {
    const { ask, lifetime: signal } = this.#options;
    return ask(async ({ token }) => (await call('GET', this.#path(what), null, { token, signal })).json() as Promise<T>);
  }

  async #put(what: string, json: unknown): Promise<void> {
    await this.#options.ask(({ token }) => call('PUT', this.#path(what), { json }, { token, signal: this.#options.lifetime }));
  }
}

/** One person reports a message once. */
function withReport(all: readonly ReportedMessage[], { id, author, text, sent_at_ms }: ChatMessage, report: Report): readonly ReportedMessage[] {
  if (!all.some(({ message }) => message === id)) return [...all, { message: id, author: { id: author.id, name: author.name }, text, sent_at_ms, reports: [report] }];
  return all.map((reported) =>
    reported.message !== id || reported.reports.some(({ by }) => by.id === report.by.id) ? reported : { ...reported, reports: [...reported.reports, report] });
}

function without(all: readonly Restrained[], user: string): readonly Restrained[] {
  return all.filter(({ person }) => person.id !== user);
}

/** Words as they are typed, one a line, as the server takes them. */
export function wordsOf(text: string): string[] {
  return [...new Set(text.split('\n').map((word) => word.trim()).filter((word) => word !== ''))];
}
