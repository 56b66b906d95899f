import { expect, test } from 'vitest';
import sprite from './emoji.svg?raw';
import { EMOJI_GROUPS, drawingOf, emojiId, findEmoji } from './emoji';

test('every emoji of the list has its drawing in the sprite, and each is there once', () => {
  const drawn = [...sprite.matchAll(/<symbol id="e([^"]+)"/g)].map(([, id]) => id);
  const listed = EMOJI_GROUPS.flatMap(({ emoji }) => emoji.map(({ id }) => id));
  expect(drawn).toEqual(listed);
  expect(new Set(listed).size).toBe(listed.length);
});

test('an emoji is found with and without the mark for pictures, and by the beginnings of its words', () => {
  expect([emojiId('❤️'), emojiId('❤')]).toEqual(['2764', '2764']);
  expect(drawingOf('❤')?.name).toBe('red heart');
  expect(drawingOf('🦄')).toBeNull();
  expect(findEmoji('soc').map(({ emoji }) => emoji)).toContain('⚽');
  expect(findEmoji('heart red').map(({ emoji }) => emoji)).toEqual(['❤️']);
  expect(findEmoji(' ')).toEqual([]);
});
