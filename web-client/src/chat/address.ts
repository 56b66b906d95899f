// Addressing people with @: who could be meant by what is being typed, and whom a finished text addresses. Pure.
import type { ChatRole } from '../protocol';

export type Someone = { id: string; name: string; role: ChatRole };

/** People offered at once. */
export const OFFERED_MAX = 6;
/** As many as the server takes. */
export const ADDRESSED_MAX = 5;

/** What is being typed after an @ at `caret`: from where, and what so far. `null`: nothing is. */
export function addressingAt(text: string, caret: number): { from: number; typed: string } | null {
  const match = /(?:^|\s)@([^@\n]{0,40})$/u.exec(text.slice(0, caret));
  return match ? { from: caret - (match[1]?.length ?? 0) - 1, typed: match[1] ?? '' } : null;
}

/** Whose name, or a word of it, begins with what was typed; `people` with the last speaker first. */
export function offersFor(typed: string, people: readonly Someone[]): readonly Someone[] {
  const start = typed.toLowerCase();
  const begins = (name: string): boolean => name.toLowerCase().startsWith(start);
  const first = people.filter(({ name }) => begins(name));
  const second = people.filter((person) => !first.includes(person) && start !== '' && person.name.split(/\s+/).some(begins));
  return [...first, ...second].slice(0, OFFERED_MAX);
}

/** The ids of those whose `@name` is still in the text. */
export function addressedIn(text: string, chosen: readonly Someone[]): readonly string[] {
  const lower = text.toLowerCase();
  const ids = chosen.filter(({ name }) => lower.includes(`@${name.toLowerCase()}`)).map(({ id }) => id);
  return [...new Set(ids)].slice(0, ADDRESSED_MAX);
}
