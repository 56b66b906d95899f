import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RequestError } from '../lib/errors';
import type { ChatChange, ChatMessage, HeldMessage, Restrained } from '../protocol';
import { ModerationDesk, wordsOf } from './desk';

const author = { id: 'u', name: 'Noor', role: 'viewer', guest: false } as const;
const message = (id: string): ChatMessage => ({ id, author, text: 'text', sent_at_ms: 1 });
const held = (id: string): HeldMessage => ({ id, author, text: 'text', rule: 'links', nonce: 1, held_at_ms: 1, until_ms: 2 });
const report = (by: string) => ({ by: { id: by, name: by }, reason: 'spam', at_ms: 1 }) as const;
const restrained = (id: string): Restrained => ({ person: { id, name: id }, since_ms: 1 });

let answers: Record<string, unknown>;
let asked: string[];
beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  answers = { reports: { reports: [] }, restrained: { restrained: [restrained('old')], more: false }, words: { words: ['spoiler*'] } };
  vi.stubGlobal('fetch', async (path: string, { method }: { method: string }) => {
    asked.push(`${method} ${path}`);
    const answer = answers[path.split('/').at(-1) ?? ''];
    return answer === undefined ? new Response(null, { status: method === 'PUT' ? 204 : 503 }) : Response.json(answer);
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function desk(change: (change: ChatChange) => Promise<void> = async () => undefined): ModerationDesk {
  return new ModerationDesk({ ask: (run) => run({ token: 't' }), broadcast: () => 'b', change, lifetime: new AbortController().signal });
}
const settled = () => vi.advanceTimersByTimeAsync(0);

test('lists are read once and then follow what is pushed', async () => {
  const it = desk();
  it.start([held('7-1')]);
  await settled();
  expect([it.phase.value, it.words.value, it.restrained.value.length]).toEqual(['there', ['spoiler*'], 1]);
  it.take({ event: 'held', message: held('7-2') });
  for (const by of ['a', 'a', 'b']) it.take({ event: 'reported', message: message('7-3'), report: report(by) });
  expect([it.count.value, it.reports.value[0]?.reports.length]).toEqual([3, 2]);
  it.take({ event: 'ruled', held: '7-1', nonce: 1, ruling: 'approved' });
  it.take({ event: 'resolved', message: '7-3' });
  it.take({ event: 'restrained', restrained: restrained('new') });
  it.take({ event: 'lifted', user: 'old' });
  it.take({ event: 'words', words: [] });
  expect([it.count.value, it.restrained.value.map(({ person }) => person.id), it.words.value]).toEqual([1, ['new'], []]);
  expect(asked).toHaveLength(3);
});

test('what is pushed while the lists are on their way is not lost', async () => {
  const it = desk();
  it.start([]);
  it.take({ event: 'words', words: ['new'] });
  await settled();
  answers['words'] = { words: ['new'] };
  await vi.advanceTimersByTimeAsync(1_000);
  expect(it.words.value).toEqual(['new']);
  it.take({ event: 'missed' });
  await settled();
  expect(asked).toHaveLength(9);
});

test('lists that cannot be read are asked for again, and then a person may', async () => {
  delete answers['words'];
  const it = desk();
  it.start([]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect([it.phase.value, asked.length]).toEqual(['failed', 15]);
  answers['words'] = { words: [] };
  it.read();
  await settled();
  expect(it.phase.value).toBe('there');
});

test('what another moderator has decided already is done', async () => {
  const it = desk(async () => { throw new RequestError('not_found', 'gone', false); });
  it.start([held('7-1')]);
  await settled();
  it.take({ event: 'reported', message: message('7-3'), report: report('a') });
  await it.review(held('7-1'), 'approve');
  await it.remove('7-3');
  expect(it.count.value).toBe(0);
  expect(asked.at(-1)).toBe('PUT /api/v1/broadcasts/b/reports/7-3');
});

test('words are taken one a line, each once', () => {
  expect(wordsOf(' spoiler* \n\nspoiler*\nfull time ')).toEqual(['spoiler*', 'full time']);
});
