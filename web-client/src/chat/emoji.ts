// The emoji that this interface has artwork for, and how to find them. The artwork is `emoji.svg`, made by `scripts/emoji.mjs`. Pure.
import list from './emoji_list.json';

export type Emoji = { emoji: string; name: string; id: string; words: string };
export type EmojiGroup = { group: string; emoji: readonly Emoji[] };

/** The name of its drawing in the sprite: code points, without the mark that asks for a picture. */
export function emojiId(emoji: string): string {
  return [...emoji].map((symbol) => symbol.codePointAt(0)?.toString(16) ?? '').filter((code) => code !== 'fe0f').join('-');
}

export const EMOJI_GROUPS: readonly EmojiGroup[] = list.map(({ group, emoji }) => ({
  group,
  emoji: emoji.map(([symbol = '', name = '', words = '']) => ({ emoji: symbol, name, id: emojiId(symbol), words: `${name} ${words}` })),
}));

const BY_ID: ReadonlyMap<string, Emoji> = new Map(EMOJI_GROUPS.flatMap(({ emoji }) => emoji).map((each) => [each.id, each]));

/** `null`: there is no drawing of it; the device has its own. */
export function drawingOf(symbol: string): Emoji | null {
  return BY_ID.get(emojiId(symbol)) ?? null;
}

/** Those of which every word that was typed begins one of theirs. */
export function findEmoji(query: string): readonly Emoji[] {
  const wanted = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return [];
  return [...BY_ID.values()].filter(({ words }) => wanted.every((start) => words.split(' ').some((word) => word.startsWith(start))));
}
