// Draws the artwork of emoji anew: the sprite of what `src/chat/emoji_list.json` lists, and a file for each reaction. Fluent Emoji Flat by
// Microsoft (MIT), so that every device shows the same. Run after changing the list: node scripts/emoji.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const icons = JSON.parse(readFileSync(require.resolve('@iconify-json/fluent-emoji-flat/icons.json'), 'utf8')).icons;
const names = JSON.parse(readFileSync(require.resolve('@iconify-json/fluent-emoji-flat/chars.json'), 'utf8'));
const source = (path) => new URL(`../src/${path}`, import.meta.url);

const REACTIONS = { goal: '⚽', clap: '👏', fire: '🔥', wow: '🤯', sad: '😭', heart: '❤️', laugh: '😂', angry: '😡' };

/** As `emojiId` in `src/chat/emoji.ts`. */
const idOf = (emoji) => [...emoji].map((symbol) => symbol.codePointAt(0).toString(16)).filter((code) => code !== 'fe0f').join('-');

function artOf(emoji) {
  const id = idOf(emoji);
  const name = names[id] ?? names[`${id}-fe0f`];
  const art = icons[name]?.body;
  if (!art) throw new Error(`there is no artwork of ${emoji}`);
  // Ids inside one drawing must not meet those of another in the sprite.
  return art.replace(/\bid="([^"]+)"/g, `id="${id}-$1"`).replace(/url\(#([^)]+)\)/g, `url(#${id}-$1)`).replace(/href="#([^"]+)"/g, `href="#${id}-$1"`);
}

const groups = JSON.parse(readFileSync(source('chat/emoji_list.json'), 'utf8'));
const symbols = groups.flatMap(({ emoji }) => emoji).map(([emoji]) => `<symbol id="e${idOf(emoji)}" viewBox="0 0 32 32">${artOf(emoji)}</symbol>`);
writeFileSync(source('chat/emoji.svg'), `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join('\n')}\n</svg>\n`);

for (const [kind, emoji] of Object.entries(REACTIONS)) {
  writeFileSync(source(`reactions/art/${kind}.svg`), `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64" viewBox="0 0 32 32">${artOf(emoji)}</svg>\n`);
}
console.log(`${symbols.length} emoji drawn`);
