import { expect, test } from 'vitest';
import { RequestError } from '../lib/errors';
import type { ChatHistory, ChatMessage } from '../protocol';
import { ChatLog, HELD_MAX_MS, LINES_KEPT, type Line, type Now, PENDING_MAX, RECHECKED } from './log';

const START = 1_700_000_000_000;
const MODES = { slow_s: 0, audience: 'everyone', emote_only: false, review: false } as const;
const ME = 'me';

const now = (changes: Partial<Now> = {}): Now => ({ localMs: 0, serverMs: START, momentMs: START + 3_600_000, follows: true, ...changes });
const message = (number: number, changes: Partial<ChatMessage> = {}): ChatMessage => ({
  id: `7-${number}`, author: { id: 'u', name: 'Noor', role: 'viewer', guest: false }, text: `text ${number}`, sent_at_ms: START, ...changes,
});
const history = (messages: ChatMessage[], changes: Partial<ChatHistory> = {}): ChatHistory => ({ messages, gap: false, modes: MODES, reactions: [], ...changes });
const said = (message: ChatMessage) => ({ event: 'said', message }) as const;
const mine = (number: number, text: string): ChatMessage => message(number, { text, author: { id: ME, name: 'Kofi', role: 'viewer', guest: true } });
const own = (nonce: number, text: string) => ({ nonce, text, mentions: [], mediaMs: null, firstSentMs: 0 });
const author = { id: ME, name: 'Kofi', role: 'viewer', guest: true } as const;

const shown = (log: ChatLog): string[] => log.lines.map(textOf);
function textOf(line: Line): string {
  switch (line.kind) {
    case 'message': return line.removed ? '(removed)' : line.message.text;
    case 'pending': return `${line.pending.text} (${line.state})`;
    case 'note': return `(${line.note.kind})`;
  }
}

test('what comes twice is shown once, by frame, history and resync', () => {
  const log = new ChatLog();
  log.enter(history([message(1), message(2)]), now(), ME);
  log.take([said(message(2)), said(message(3))], now(), ME);
  log.enter(history([message(1), message(2), message(3), message(4)]), now(), ME);
  expect(shown(log)).toEqual(['text 1', 'text 2', 'text 3', 'text 4']);
});

test('a message is shown when its moment is on screen and not before', () => {
  const log = new ChatLog();
  log.enter(history([]), now({ momentMs: START - 3_000 }), ME);
  log.take([said(message(1, { text: 'goal', media_time_ms: START - 400 }))], now({ momentMs: START - 3_000 }), ME);
  expect([shown(log), log.held]).toEqual([[], 1]);
  expect(log.release(now({ localMs: 2_599, momentMs: START - 401 }))).toBe(false);
  expect(log.release(now({ localMs: 2_600, momentMs: START - 400 }))).toBe(true);
  expect([shown(log), log.held]).toEqual([['goal'], 0]);
});

test('nobody waits longer than ten seconds, and nobody waits who does not want to or sees no picture', () => {
  const late = said(message(1, { media_time_ms: START + 60_000 }));
  const stuck = new ChatLog();
  stuck.take([late], now({ momentMs: START }), ME);
  expect(stuck.release(now({ localMs: HELD_MAX_MS - 1, momentMs: START }))).toBe(false);
  expect(stuck.release(now({ localMs: HELD_MAX_MS, momentMs: START }))).toBe(true);
  for (const facts of [{ momentMs: null }, { momentMs: START, follows: false }]) {
    const log = new ChatLog();
    log.take([late], now(facts), ME);
    expect(shown(log)).toEqual(['text 1']);
  }
});

test('before the first picture only what is older than any picture can be is shown', () => {
  const log = new ChatLog();
  const facts = now({ momentMs: undefined });
  log.enter(history([message(1, { media_time_ms: START - HELD_MAX_MS }), message(2, { media_time_ms: START - 500 }), message(3)]), facts, ME);
  expect(shown(log)).toEqual(['text 1', 'text 3']);
  log.release(now({ localMs: 300, momentMs: START - 400 }));
  expect(shown(log)).toEqual(['text 1', 'text 3', 'text 2']);
});

test('an own message is shown at once, confirmed in its place, and its echo is no second one', () => {
  const log = new ChatLog();
  log.say(own(11, 'same'), author, now());
  log.say(own(12, 'same'), author, now());
  // The frame comes before the answer, and another tab of this person says the same.
  log.take([said(mine(5, 'same')), said(mine(6, 'same')), said(mine(7, 'same')), said(message(8))], now(), ME);
  expect(shown(log)).toEqual(['same (sending)', 'same (sending)', 'text 8']);
  log.confirm(11, '7-5', now());
  log.confirm(12, '7-7', now());
  expect(shown(log)).toEqual(['same', 'same', 'text 8', 'same']);
  expect(log.lines.flatMap((line) => (line.kind === 'message' ? [line.message.id] : []))).toEqual(['7-5', '7-7', '7-8', '7-6']);
  log.take([said(mine(7, 'same'))], now(), ME);
  expect(log.lines).toHaveLength(4);
});

test('an own message that was said before the connection broke is not said twice', () => {
  const log = new ChatLog();
  log.say(own(11, 'hello'), author, now());
  log.wait(11);
  log.enter(history([mine(5, 'hello')]), now(), ME);
  expect(shown(log)).toEqual(['hello (waiting)']);
  log.again(11);
  log.confirm(11, '7-5', now());
  expect(shown(log)).toEqual(['hello']);
});

test('a refused message stays with its reason until it is sent again or given up', () => {
  const log = new ChatLog();
  const refused = new RequestError('banned', 'no', false);
  log.say(own(11, 'rude'), author, now());
  log.fail(11, refused, now());
  expect(log.pending()[0]).toMatchObject({ state: 'failed', error: refused });
  log.again(11);
  expect(shown(log)).toEqual(['rude (sending)']);
  log.drop(11);
  expect(shown(log)).toEqual([]);
  for (let nonce = 0; nonce < PENDING_MAX; nonce++) expect(log.say(own(nonce, 'x'), author, now())).toBe(true);
  expect(log.say(own(99, 'x'), author, now())).toBe(false);
});

test('edits, deletions and clearings reach what is shown and what waits', () => {
  const log = new ChatLog();
  const early = now({ momentMs: START - 1_000 });
  log.take([said(message(1)), said(message(2, { author: { id: 'v', name: 'Bad', role: 'viewer', guest: true } })), said(message(3, { media_time_ms: START - 500 }))], early, ME);
  log.take([said(message(4, { media_time_ms: START - 500 })), { event: 'deleted', message: '7-4' }, { event: 'cleared', user: 'v' }], early, ME);
  log.take([{ event: 'edited', message: '7-1', text: 'goal!' }], early, ME);
  expect(shown(log)).toEqual(['text 1', '(removed)']);
  log.release(now({ localMs: 1_000, momentMs: START }));
  expect(shown(log)).toEqual(['goal!', '(removed)', 'text 3']);
  expect(log.message('7-2')).toBeNull();
});

test('after a gap what was changed or removed meanwhile is mended', () => {
  const log = new ChatLog();
  log.enter(history(Array.from({ length: RECHECKED + 50 }, (_, index) => message(index + 1))), now(), ME);
  expect(log.since).toBe('7-51');
  const kept = Array.from({ length: 99 }, (_, index) => message(index + 52)).filter(({ id }) => id !== '7-90');
  kept[0] = message(52, { text: 'changed', edited: true });
  log.enter(history([...kept, message(151)]), now(), ME);
  expect([shown(log)[51], shown(log)[89], shown(log).at(-1), shown(log)[0]]).toEqual(['changed', '(removed)', 'text 151', 'text 1']);
});

test('a server that lost its past takes nothing away', () => {
  const log = new ChatLog();
  log.enter(history([message(1)]), now(), ME);
  log.enter(history([]), now(), ME);
  log.enter(history([message(1, { id: '8-1', text: 'new epoch' })]), now(), ME);
  expect(shown(log)).toEqual(['text 1', 'new epoch']);
});

test('only a gap of unknown messages is told', () => {
  const log = new ChatLog();
  log.enter(history([message(1), message(2)]), now(), ME);
  log.enter(history([message(2), message(3)], { gap: true }), now(), ME);
  expect(shown(log)).toEqual(['text 1', 'text 2', 'text 3']);
  log.enter(history([message(9)], { gap: true }), now(), ME);
  expect(shown(log).slice(-2)).toEqual(['(gap)', 'text 9']);
});

test('modes are told when they change, pins wait for their moment', () => {
  const log = new ChatLog();
  log.enter(history([], { modes: { ...MODES, slow_s: 5 } }), now(), ME);
  expect(shown(log)).toEqual([]);
  log.take([{ event: 'modes', modes: MODES }], now(), ME);
  expect(shown(log)).toEqual(['(modes)']);
  log.take([{ event: 'pinned', message: message(4, { media_time_ms: START }) }], now({ momentMs: START - 1 }), ME);
  expect(log.pinned).toBeNull();
  log.release(now({ momentMs: START }));
  expect(log.pinned?.id).toBe('7-4');
  log.take([{ event: 'deleted', message: '7-4' }], now(), ME);
  expect(log.pinned).toBeNull();
});

test('old lines go, and what is left is still found', () => {
  const log = new ChatLog();
  for (let number = 1; number <= 2 * LINES_KEPT; number++) log.take([said(message(number))], now(), ME);
  expect(log.lines.length).toBeLessThanOrEqual(LINES_KEPT);
  expect(shown(log).at(-1)).toBe(`text ${2 * LINES_KEPT}`);
  log.take([{ event: 'deleted', message: `7-${2 * LINES_KEPT}` }, said(message(3))], now(), ME);
  expect(shown(log).at(-1)).toBe('(removed)');
});

test('a message that a moderator looks at first stays where it is until the ruling comes', () => {
  const log = new ChatLog();
  log.enter(history([]), now(), ME);
  for (const nonce of [1, 2, 3]) {
    log.say(own(nonce, `look ${nonce}`), author, now());
    log.hold(nonce, now());
  }
  // It holds nothing up: what is said meanwhile is shown.
  log.say(own(4, 'fine'), author, now());
  log.confirm(4, '7-1', now());
  log.rule(2, 'refused', now());
  log.rule(3, 'expired', now());
  expect(shown(log)).toEqual(['look 1 (held)', 'look 2 (failed)', 'look 3 (failed)', 'fine']);
  log.take([said(mine(2, 'look 1'))], now(), ME);
  log.rule(1, 'approved', now());
  expect(shown(log)).toEqual(['look 2 (failed)', 'look 3 (failed)', 'fine', 'look 1']);
  const codes = log.pending().map(({ error }) => error?.code);
  expect(codes).toEqual(['turned_down', 'not_looked_at']);
});

test('what waits is found again by another page, and a ruling that was missed is not waited for', () => {
  const held = { id: '7-9', author, text: 'look', rule: 'links', nonce: 5, held_at_ms: START, until_ms: START + 600_000 } as const;
  const log = new ChatLog();
  log.enter(history([]), now(), ME);
  log.keepHeld([held], now());
  log.keepHeld([held], now());
  expect(shown(log)).toEqual(['look (held)']);
  log.keepHeld([], now());
  expect(shown(log)).toEqual(['look (failed)']);
});

test('a ruling that was missed is known by what this person has said since, and by nothing that others or they themselves said before', () => {
  const held = { id: '7-9', author, text: 'look', rule: 'links', nonce: 5, held_at_ms: START, until_ms: START + 600_000 } as const;
  const others = message(1, { text: 'look', sent_at_ms: START + 1_000 });
  const before = { ...mine(2, 'look'), sent_at_ms: START - 1_000 };
  const since = { ...mine(3, 'look'), sent_at_ms: START + 1_000 };
  for (const [messages, becomes] of [[[before, others], ['look', 'look', 'look (failed)']], [[before, since], ['look', 'look']]] as const) {
    const log = new ChatLog();
    log.enter(history([...messages]), now(), ME);
    log.keepHeld([held], now());
    log.keepHeld([], now());
    expect(shown(log)).toEqual(becomes);
  }
});
