// An emoji as drawn by this interface, the same on every device.
import type { Emoji } from './emoji';
import sprite from './emoji.svg?url';

export function Glyph({ emoji, large }: { emoji: Emoji; large?: boolean }) {
  return (
    <svg class={`glyph ${large ? 'large' : ''}`} viewBox="0 0 32 32" role="img" aria-label={emoji.name}>
      <use href={`${sprite}#e${emoji.id}`} />
    </svg>
  );
}
