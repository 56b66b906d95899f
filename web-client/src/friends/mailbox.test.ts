import { expect, test } from 'vitest';
import type { MessagePage, Person, PrivateMessage } from '../protocol';
import { type Mailbox, arrived, drafted, emptyMailbox, isBehind, isDrafted, listed, pageRead, read, undrafted, unreadCount } from './mailbox';

const ann: Person = { id: 'ann', name: 'Ann', picture_version: 0, relation: 'friend' };
const bob: Person = { id: 'bob', name: 'Bob', picture_version: 0, relation: 'friend' };
const message = (number: number, from = 'ann', at = number): PrivateMessage => ({ number, from, to: from === 'me' ? 'ann' : 'me', text: `${number}`, sent_at_ms: at });
const page = (from: number, to: number, more: boolean): MessagePage => ({
  messages: Array.from({ length: to - from + 1 }, (_, index) => message(from + index)), more, read_up_to: 0, seen_up_to: 0,
});
const numbers = (mailbox: Mailbox) => mailbox.threads.get('ann')?.messages.map(({ number }) => number);

test('what is known twice is there once, in order', () => {
  let mailbox = pageRead(emptyMailbox('me'), 'ann', page(3, 4, true));
  mailbox = arrived(mailbox, ann, message(5));
  mailbox = arrived(mailbox, ann, message(5));
  mailbox = pageRead(mailbox, 'ann', page(1, 2, false));
  expect(numbers(mailbox)).toEqual([1, 2, 3, 4, 5]);
  expect(mailbox.threads.get('ann')?.more).toBe(false);
});

test('reading the newest page again does not forget that older ones are known', () => {
  let mailbox = pageRead(emptyMailbox('me'), 'ann', page(1, 4, false));
  mailbox = pageRead(mailbox, 'ann', page(3, 6, true));
  expect(numbers(mailbox)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(mailbox.threads.get('ann')?.more).toBe(false);
});

test('a gap is not drawn over: the page after it counts alone', () => {
  let mailbox = pageRead(emptyMailbox('me'), 'ann', page(1, 4, false));
  mailbox = arrived(mailbox, ann, message(9));
  expect(numbers(mailbox)).toEqual([1, 2, 3, 4]);
  expect(isBehind(mailbox, 'ann')).toBe(true);
  mailbox = pageRead(mailbox, 'ann', page(8, 9, true));
  expect(numbers(mailbox)).toEqual([8, 9]);
  expect(mailbox.threads.get('ann')?.more).toBe(true);
  expect(isBehind(mailbox, 'ann')).toBe(false);
});

test('unread counts what they wrote, once, until it is read here or elsewhere', () => {
  let mailbox = arrived(emptyMailbox('me'), ann, message(1));
  mailbox = arrived(mailbox, ann, message(2));
  mailbox = arrived(mailbox, ann, message(2));
  expect(mailbox.conversations[0]?.unread).toBe(2);
  expect(unreadCount(mailbox)).toBe(1);
  mailbox = read(mailbox, 'ann', 'me', 1);
  expect(mailbox.conversations[0]?.unread).toBe(1);
  mailbox = read(mailbox, 'ann', 'me', 2);
  expect(unreadCount(mailbox)).toBe(0);
  mailbox = arrived(mailbox, ann, message(3));
  // Answered on another device.
  mailbox = arrived(mailbox, ann, message(4, 'me'));
  expect(unreadCount(mailbox)).toBe(0);
});

test('how far the other one has read never goes back', () => {
  let mailbox = pageRead(emptyMailbox('me'), 'ann', { ...page(1, 4, false), seen_up_to: 2 });
  mailbox = read(mailbox, 'ann', 'ann', 4);
  mailbox = read(mailbox, 'ann', 'ann', 3);
  expect(mailbox.threads.get('ann')?.seenUpTo).toBe(4);
  expect(mailbox.threads.get('ann')?.readUpTo).toBe(0);
});

test('the latest conversation is the first', () => {
  let mailbox = listed(emptyMailbox('me'), [{ person: ann, last: message(1, 'ann', 10), unread: 0 }, { person: bob, last: message(1, 'bob', 20), unread: 0 }]);
  expect(mailbox.conversations.map(({ person }) => person.id)).toEqual(['bob', 'ann']);
  mailbox = arrived(mailbox, ann, message(2, 'ann', 30));
  expect(mailbox.conversations.map(({ person }) => person.id)).toEqual(['ann', 'bob']);
});

test('a draft whose message comes back before the answer is that message, and only one of two alike is', () => {
  let mailbox = pageRead(emptyMailbox('me'), 'ann', page(1, 1, false));
  for (const nonce of [7, 8]) mailbox = drafted(mailbox, 'ann', { nonce, text: '2', failed: false });
  mailbox = arrived(mailbox, ann, message(2, 'me'));
  expect([numbers(mailbox), mailbox.threads.get('ann')?.drafts.map(({ nonce }) => nonce)]).toEqual([[1, 2], [8]]);
  // Told about once more, it takes no other draft with it.
  mailbox = arrived(mailbox, ann, message(2, 'me'));
  expect([isDrafted(mailbox, 'ann', 7), isDrafted(mailbox, 'ann', 8)]).toEqual([false, true]);
});

test('a draft is there until it is sent, and a failed one is the same one again', () => {
  let mailbox = drafted(emptyMailbox('me'), 'ann', { nonce: 7, text: 'hi', failed: false });
  mailbox = drafted(mailbox, 'ann', { nonce: 7, text: 'hi', failed: true });
  expect(mailbox.threads.get('ann')?.drafts).toEqual([{ nonce: 7, text: 'hi', failed: true }]);
  expect(undrafted(mailbox, 'ann', 7).threads.get('ann')?.drafts).toEqual([]);
});
