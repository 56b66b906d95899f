// A message's text in pieces to draw: words, links, names that are addressed, emoji. Text is never markup: each piece is drawn as text. Pure.
import { type LinkPiece, splitLinks } from '../ui/links';
import { type Emoji, drawingOf } from './emoji';

export type Piece =
  | { kind: 'text'; text: string }
  | Extract<LinkPiece, { kind: 'link' }>
  | { kind: 'mention'; text: string; me: boolean }
  | { kind: 'emoji'; emoji: Emoji };

export type Named = { name: string; me: boolean };

const EMOJI = /(?:\p{Extended_Pictographic}\uFE0F?\p{Emoji_Modifier}?)(?:\u200D\p{Extended_Pictographic}\uFE0F?\p{Emoji_Modifier}?)*/gu;

/** `named`: the people that the message addresses, as far as their names are known. */
export function piecesOf(text: string, named: readonly Named[] = []): readonly Piece[] {
  return splitLinks(text)
    .flatMap((piece): Piece[] => (piece.kind === 'text' ? splitMentions(piece.text, named) : [piece]))
    .flatMap((piece) => (piece.kind === 'text' ? splitEmoji(piece.text) : [piece]));
}

/** Whether there is nothing but a few emoji: then they are drawn larger. */
export function isEmojiOnly(pieces: readonly Piece[], most: number): boolean {
  const emoji = pieces.filter(({ kind }) => kind === 'emoji').length;
  return emoji > 0 && emoji <= most && pieces.every((piece) => piece.kind === 'emoji' || (piece.kind === 'text' && piece.text.trim() === ''));
}

function splitMentions(text: string, named: readonly Named[]): Piece[] {
  // The longest first: "@Noor B" is not "@Noor" and a letter.
  const people = named.filter(({ name }) => name !== '').sort((a, b) => b.name.length - a.name.length);
  if (people.length === 0) return words(text);
  const pattern = new RegExp(`@(?:${people.map(({ name }) => escaped(name)).join('|')})(?![\\p{L}\\p{N}])`, 'giu');
  return split(text, pattern, (found) => {
    const person = people.find(({ name }) => name.toLowerCase() === found.slice(1).toLowerCase());
    return [{ kind: 'mention', text: found, me: person?.me ?? false }];
  });
}

function splitEmoji(text: string): Piece[] {
  return split(text, EMOJI, (found) => {
    const emoji = drawingOf(found);
    return emoji && [{ kind: 'emoji', emoji }];
  });
}

/** `make` returns `null` for what is text after all. */
function split(text: string, pattern: RegExp, make: (found: string) => Piece[] | null): Piece[] {
  const pieces: Piece[] = [];
  let plain = '';
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    const made = make(match[0]);
    if (!made) continue;
    plain += text.slice(at, match.index);
    pieces.push(...words(plain), ...made);
    plain = '';
    at = match.index + match[0].length;
  }
  return [...pieces, ...words(plain + text.slice(at))];
}

const words = (text: string): Piece[] => (text === '' ? [] : [{ kind: 'text', text }]);
const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
