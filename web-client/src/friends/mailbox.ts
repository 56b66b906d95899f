// Private messages as this page knows them: conversations with what is unread, and each one's thread. Pure.
//
// Messages have numbers that rise by one in each conversation, so what is known twice is recognised and a gap is seen.
import type { Conversation, MessagePage, Person, PrivateMessage } from '../protocol';

/** Written here and not (yet) with the server. */
export type Draft = { nonce: number; text: string; failed: boolean };

export type Thread = {
  messages: readonly PrivateMessage[];
  /** There are older ones. */
  more: boolean;
  readUpTo: number;
  /** How far the other person has read. */
  seenUpTo: number;
  drafts: readonly Draft[];
};

export type Mailbox = { me: string; conversations: readonly Conversation[]; threads: ReadonlyMap<string, Thread> };

export const emptyMailbox = (me: string): Mailbox => ({ me, conversations: [], threads: new Map() });

const EMPTY: Thread = { messages: [], more: false, readUpTo: 0, seenUpTo: 0, drafts: [] };

/** As the server lists them; threads that have a gap after this are read anew when they are opened (see `isBehind`). */
export function listed(mailbox: Mailbox, conversations: readonly Conversation[]): Mailbox {
  return { ...mailbox, conversations: latestFirst(conversations) };
}

/** A page of a thread: the newest, or what is before what is known. */
export function pageRead(mailbox: Mailbox, user: string, page: MessagePage): Mailbox {
  const before = mailbox.threads.get(user) ?? EMPTY;
  const [oldest, newest] = [page.messages[0]?.number ?? 0, page.messages.at(-1)?.number ?? 0];
  const known = before.messages;
  // What does not adjoin the page is apart from it by a gap: the page counts.
  const adjoins = known.length > 0 && (known[0]?.number ?? 0) <= newest + 1 && (known.at(-1)?.number ?? 0) >= oldest - 1;
  const messages = adjoins ? merged(known, page.messages) : page.messages;
  const more = adjoins && (known[0]?.number ?? 0) < oldest ? before.more : page.more;
  return withThread(mailbox, user, {
    ...before, messages, more, readUpTo: Math.max(before.readUpTo, page.read_up_to), seenUpTo: Math.max(before.seenUpTo, page.seen_up_to),
  });
}

/** Written to us, or by us (here, in another tab, on another device). */
export function arrived(mailbox: Mailbox, person: Person, message: PrivateMessage): Mailbox {
  const before = mailbox.threads.get(person.id);
  const old = mailbox.conversations.find((conversation) => conversation.person.id === person.id);
  const isNew = !old || message.number > old.last.number;
  const fromThem = message.from !== mailbox.me;
  const readUpTo = before?.readUpTo ?? 0;
  // Whoever answers has read what was there.
  const unread = !isNew ? old.unread : fromThem ? (message.number > readUpTo ? (old?.unread ?? 0) + 1 : old?.unread ?? 0) : 0;
  const conversation = { person, last: isNew ? message : old.last, unread };
  const conversations = latestFirst([conversation, ...mailbox.conversations.filter((other) => other.person.id !== person.id)]);
  const next = { ...mailbox, conversations };
  if (!before) return next;
  const last = before.messages.at(-1)?.number ?? 0;
  // The push of one's own message may be faster than the answer to it: then the draft has become this message.
  const sent = fromThem || message.number <= last ? -1 : before.drafts.findIndex(({ text, failed }) => !failed && text === message.text);
  const drafts = before.drafts.filter((_, index) => index !== sent);
  const isGap = message.number > last + 1 && last > 0;
  return withThread(next, person.id, { ...before, drafts, messages: isGap ? before.messages : merged(before.messages, [message]) });
}

/** Somebody (`reader`) has read up to a number. */
export function read(mailbox: Mailbox, user: string, reader: string, upTo: number): Mailbox {
  const thread = mailbox.threads.get(user);
  const mine = reader === mailbox.me;
  const next = thread
    ? withThread(mailbox, user, mine ? { ...thread, readUpTo: Math.max(thread.readUpTo, upTo) } : { ...thread, seenUpTo: Math.max(thread.seenUpTo, upTo) })
    : mailbox;
  if (!mine) return next;
  return {
    ...next,
    conversations: next.conversations.map((one) => {
      if (one.person.id !== user) return one;
      const left = upTo >= one.last.number ? 0 : Math.min(one.unread, one.last.number - upTo);
      return { ...one, unread: left };
    }),
  };
}

export function drafted(mailbox: Mailbox, user: string, draft: Draft): Mailbox {
  const thread = mailbox.threads.get(user) ?? EMPTY;
  const others = thread.drafts.filter(({ nonce }) => nonce !== draft.nonce);
  return withThread(mailbox, user, { ...thread, drafts: [...others, draft] });
}

/** Whether it waits to be sent; one that does not any more has been. */
export function isDrafted(mailbox: Mailbox, user: string, nonce: number): boolean {
  return mailbox.threads.get(user)?.drafts.some((draft) => draft.nonce === nonce) ?? false;
}

/** It is with the server now, or given up. */
export function undrafted(mailbox: Mailbox, user: string, nonce: number): Mailbox {
  const thread = mailbox.threads.get(user);
  return thread ? withThread(mailbox, user, { ...thread, drafts: thread.drafts.filter((draft) => draft.nonce !== nonce) }) : mailbox;
}

/** The thread ends before what the list says was written last: it must be read again. */
export function isBehind(mailbox: Mailbox, user: string): boolean {
  const thread = mailbox.threads.get(user);
  const last = mailbox.conversations.find(({ person }) => person.id === user)?.last.number ?? 0;
  return !thread || (thread.messages.at(-1)?.number ?? 0) < last;
}

/** Conversations with something unread. */
export function unreadCount(mailbox: Mailbox): number {
  return mailbox.conversations.filter(({ unread }) => unread > 0).length;
}

function withThread(mailbox: Mailbox, user: string, thread: Thread): Mailbox {
  return { ...mailbox, threads: new Map(mailbox.threads).set(user, thread) };
}

function merged(a: readonly PrivateMessage[], b: readonly PrivateMessage[]): PrivateMessage[] {
  const all = new Map([...a, ...b].map((message) => [message.number, message]));
  return [...all.values()].sort((one, other) => one.number - other.number);
}

function latestFirst(conversations: readonly Conversation[]): Conversation[] {
  return [...conversations].sort((a, b) => b.last.sent_at_ms - a.last.sent_at_ms);
}
