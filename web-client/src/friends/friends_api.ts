// The REST side of friends and private messages, all of it. Asks as whoever is signed in here; every failure is a `RequestError`.
import { asMe } from '../account/account_api';
import { type Body, type Call, call } from '../lib/api';
import type { Conversation, FriendLists, MessagePage, Person, PrivateMessage, Relation } from '../protocol';

const API = '/api/v1';

const ask = (method: string, path: string, body: Body = null, more: Call = {}): Promise<Response> => asMe((own) => call(method, API + path, body, { ...more, ...own }));
const json = async <T>(response: Promise<Response>): Promise<T> => (await response).json() as Promise<T>;
const of = (user: string): string => encodeURIComponent(user);

/** Whose names begin with `text`, at most 20. */
export async function searchPeople(text: string, options: Call): Promise<Person[]> {
  return (await json<{ people: Person[] }>(ask('GET', `/people?search=${encodeURIComponent(text)}`, null, options))).people;
}

export const listFriends = (): Promise<FriendLists> => json(ask('GET', '/me/friends'));

/** Asks, or accepts: what they are now. */
export async function befriend(user: string): Promise<Relation> {
  return (await json<{ relation: Relation }>(ask('PUT', `/me/friends/${of(user)}`))).relation;
}

/** Ends a friendship, refuses a request or withdraws one. */
export async function unfriend(user: string): Promise<void> {
  await ask('DELETE', `/me/friends/${of(user)}`);
}

export async function block(user: string): Promise<void> {
  await ask('PUT', `/me/blocks/${of(user)}`);
}

export async function unblock(user: string): Promise<void> {
  await ask('DELETE', `/me/blocks/${of(user)}`);
}

export async function listConversations(): Promise<Conversation[]> {
  return (await json<{ conversations: Conversation[] }>(ask('GET', '/me/messages'))).conversations;
}

/** At most 50 before number `before`, or the newest. */
export function readMessages(user: string, before: number | null): Promise<MessagePage> {
  return json(ask('GET', `/me/messages/${of(user)}${before === null ? '' : `?before=${before}`}`));
}

/** `nonce`: the same one when it is sent again, so that it is sent once. */
export function sendMessage(user: string, nonce: number, text: string): Promise<PrivateMessage> {
  return json(ask('POST', `/me/messages/${of(user)}`, { json: { nonce, text } }));
}

export async function markRead(user: string, upTo: number): Promise<void> {
  await ask('PUT', `/me/messages/${of(user)}/read`, { json: { up_to: upTo } });
}

export const getPerson = (user: string): Promise<Person> => json(ask('GET', `/users/${of(user)}`));
