import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Bearer, type Known, type Surroundings, type Word } from './bearer';
import type { Fresh } from './auth_api';
import { RequestError } from './errors';
import { storeIdentity, storedIdentity } from './identity';

const MINUTES = 60_000;

/** Tabs of one browser, and the server's refresh. */
class Browser {
  remembered: Known | null = null;
  renewals = 0;
  refuse: RequestError | null = null;
  answered: Promise<void> = Promise.resolve();
  readonly tabs: Bearer[] = [];
  #queue: Promise<unknown> = Promise.resolve();
  #busy = 0;

  tab(): Bearer {
    let own: Bearer | null = null;
    const around: Surroundings = {
      remembered: () => this.remembered,
      remember: (known) => { this.remembered = known; },
      tell: (word: Word) => { for (const tab of this.tabs) if (tab !== own) tab.heard(word); },
      alone: async (run) => {
        const waited = this.#busy++ > 0;
        const turn = this.#queue.then(() => run(waited)).finally(() => { this.#busy -= 1; });
        this.#queue = turn.catch(() => undefined);
        return turn;
      },
      renew: async () => {
        this.renewals += 1;
        await this.answered;
        if (this.refuse) throw this.refuse;
        return fresh(`renewed ${this.renewals}`);
      },
      nowMs: Date.now,
    };
    own = new Bearer(around, life.signal);
    this.tabs.push(own);
    return own;
  }
}

function fresh(token: string, name = 'Ann'): Fresh {
  const account = { id: 'a', name, email: 'ann@example.org', email_verified: false, roles: [], picture_version: 0, hide_watching: false, created_at_ms: 1 };
  return { account, token, goodUntilMs: Date.now() + 5 * MINUTES };
}

let life: AbortController;
beforeEach(() => {
  vi.useFakeTimers();
  life = new AbortController();
  storeIdentity(null);
});
afterEach(() => {
  life.abort();
  vi.useRealTimers();
});

test('a guest speaks with the token that is kept, until it is refused', () => {
  const tab = new Browser().tab();
  expect(tab.token()).toBeNull();
  tab.guest('guest 1');
  expect(tab.token()).toBe('guest 1');
  expect(tab.refused('another')).toBe(false);
  expect(tab.refused('guest 1')).toBe(true);
  expect(tab.token()).toBeNull();
});

test('signing up ends the guest and every tab is the account', async () => {
  const browser = new Browser();
  const [here, there] = [browser.tab(), browser.tab()];
  here.guest('guest 1');
  here.signedIn(fresh('first'));
  expect(storedIdentity()).toBeNull();
  expect(there.who.value).toMatchObject({ kind: 'account', known: { id: 'a', name: 'Ann' } });
  expect([here.token(), there.token()]).toEqual(['first', 'first']);
  // What a guest's connection is given late is nobody's any more.
  here.guest('guest 2');
  expect(storedIdentity()).toBeNull();
});

test('a page that opens is the account before it has a token, and waits for one', async () => {
  const browser = new Browser();
  browser.remembered = { id: 'a', name: 'Ann', picture_version: 3 };
  const tab = browser.tab();
  expect(tab.who.value).toMatchObject({ kind: 'account', account: null });
  expect(await tab.token()).toBe('renewed 1');
  expect(tab.token()).toBe('renewed 1');
  expect(tab.who.value).toMatchObject({ account: { email: 'ann@example.org' } });
});

test('over all tabs one renews in time and the others hear of it', async () => {
  const browser = new Browser();
  const tabs = [browser.tab(), browser.tab(), browser.tab()];
  tabs[0]?.signedIn(fresh('first'));
  await vi.advanceTimersByTimeAsync(4 * MINUTES + 10_000);
  expect(browser.renewals).toBe(1);
  expect(tabs.map((tab) => tab.token())).toEqual(Array(3).fill('renewed 1'));
  await vi.advanceTimersByTimeAsync(20 * MINUTES);
  expect(browser.renewals).toBeLessThanOrEqual(8);
  for (const tab of tabs) expect(tab.token()).toMatch(/^renewed/);
});

test('tabs that ask at the same moment share one renewal', async () => {
  const browser = new Browser();
  browser.remembered = { id: 'a', name: 'Ann', picture_version: 0 };
  const tabs = [browser.tab(), browser.tab(), browser.tab()];
  const asked = Promise.all(tabs.map((tab) => tab.token()));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await asked).toEqual(Array(3).fill('renewed 1'));
  expect(browser.renewals).toBe(1);
});

test('a token that is about to run out is not handed out', async () => {
  const tab = new Browser().tab();
  tab.signedIn({ ...fresh('short'), goodUntilMs: Date.now() + 14_000 });
  expect(await tab.token()).toBe('renewed 1');
});

test('a server that cannot be asked leaves the person signed in and is asked again', async () => {
  const browser = new Browser();
  browser.remembered = { id: 'a', name: 'Ann', picture_version: 0 };
  browser.refuse = RequestError.disconnected();
  const tab = browser.tab();
  await vi.advanceTimersByTimeAsync(0);
  await expect(tab.token()).rejects.toMatchObject({ code: 'disconnected' });
  expect(tab.who.value.kind).toBe('account');
  browser.refuse = null;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(tab.token()).toMatch(/^renewed/);
});

test('a device that was signed out elsewhere is a guest in every tab, and says that it was not the person', async () => {
  const browser = new Browser();
  const [here, there] = [browser.tab(), browser.tab()];
  here.signedIn(fresh('first'));
  browser.refuse = new RequestError('sign_in_ended', 'You are signed out.', false);
  await vi.advanceTimersByTimeAsync(5 * MINUTES);
  for (const tab of [here, there]) expect(tab.who.value).toEqual({ kind: 'guest', ended: true });
  expect(here.token()).toBeNull();
  expect(browser.remembered).toBeNull();
  expect(browser.renewals).toBe(1);
});

test('signing out reaches every tab, also one whose renewal is under way', async () => {
  const browser = new Browser();
  const [here, there] = [browser.tab(), browser.tab()];
  here.signedIn({ ...fresh('first'), goodUntilMs: Date.now() + 1_000 });
  let answer = () => {};
  browser.answered = new Promise((resolve) => { answer = resolve; });
  const asked = there.token();
  await vi.advanceTimersByTimeAsync(0);
  here.signedOut();
  answer();
  expect(await asked).toBeNull();
  for (const tab of [here, there]) expect(tab.who.value).toEqual({ kind: 'guest', ended: false });
  await vi.advanceTimersByTimeAsync(20 * MINUTES);
  expect(browser.renewals).toBe(1);
});

test('a page that slept through it looks again when it is seen', async () => {
  const browser = new Browser();
  const tab = browser.tab();
  browser.remembered = { id: 'a', name: 'Ann', picture_version: 0 };
  tab.lookAgain();
  expect(await tab.token()).toBe('renewed 1');
  browser.remembered = null;
  tab.lookAgain();
  expect(tab.who.value.kind).toBe('guest');
});

test('a new name is with everybody at once and in the next token', async () => {
  const browser = new Browser();
  const [here, there] = [browser.tab(), browser.tab()];
  here.signedIn(fresh('first'));
  here.changed(fresh('', 'Ann of Green Gables').account);
  expect(there.who.value).toMatchObject({ known: { name: 'Ann of Green Gables' } });
  expect(await there.token()).toBe('renewed 1');
  expect(here.token()).toBe('renewed 1');
});

test('a refusal that does not pass by itself is not asked for again and again', async () => {
  const browser = new Browser();
  browser.remembered = { id: 'a', name: 'Ann', picture_version: 0 };
  browser.refuse = new RequestError('forbidden', 'Not from here.', false);
  browser.tab();
  await vi.advanceTimersByTimeAsync(59_000);
  expect(browser.renewals).toBe(1);
  browser.refuse = new RequestError('rate_limited', 'Too many.', true, 90_000);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(browser.renewals).toBe(2);
  await vi.advanceTimersByTimeAsync(88_000);
  expect(browser.renewals).toBe(2);
});

test('a token that the server refuses is replaced', async () => {
  const tab = new Browser().tab();
  tab.signedIn(fresh('first'));
  expect(tab.refused('first')).toBe(true);
  expect(await tab.token()).toBe('renewed 1');
});
