// The emoji to choose from, with a search. A grid by keyboard: arrows move, Enter takes, Esc closes.
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { useScope } from '../ui/hooks';
import { words } from '../words';
import { EMOJI_GROUPS, type Emoji, findEmoji } from './emoji';
import { Glyph } from './Glyph';

const say = words.chat;

export function EmojiPicker({ onPick, onClose }: { onPick: (emoji: string) => void; onClose: () => void }) {
  const [query, setQuery] = useState('');
  const panel = useRef<HTMLDivElement>(null);
  const search = useRef<HTMLInputElement>(null);
  const found = useMemo(() => findEmoji(query), [query]);

  useLayoutEffect(() => search.current?.focus(), []);
  useScope((until) => {
    document.addEventListener('pointerdown', (event) => {
      if (event.target instanceof Element && !panel.current?.contains(event.target) && !event.target.closest('[aria-haspopup="dialog"]')) onClose();
    }, { signal: until, capture: true });
  }, [onClose]);

  const key = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') {
      onClose();
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    const all = [...(panel.current?.querySelectorAll<HTMLButtonElement>('.grid button') ?? [])];
    const at = all.indexOf(document.activeElement as HTMLButtonElement);
    if (at < 0) {
      if (event.key === 'ArrowDown') { all[0]?.focus(); event.preventDefault(); }
      if (event.key === 'Enter' && found[0]) { onPick(found[0].emoji); onClose(); event.preventDefault(); }
      return;
    }
    const target = beside(all, at, event.key);
    if (target === undefined) return;
    event.preventDefault();
    if (target === null) search.current?.focus();
    else all[target]?.focus();
  };

  const grid = (emoji: readonly Emoji[]) => (
    <div class="grid">
      {emoji.map((each) => (
        <button key={each.id} type="button" tabIndex={-1} title={each.name} onClick={() => onPick(each.emoji)}><Glyph emoji={each} /></button>
      ))}
    </div>
  );
  return (
    <div ref={panel} class="picker" role="dialog" aria-label={say.emoji} onKeyDown={key}>
      <input
        ref={search}
        class="input"
        type="search"
        placeholder={say.findEmoji}
        aria-label={say.findEmoji}
        value={query}
        onInput={(event) => setQuery(event.currentTarget.value)}
      />
      {/* One stop by Tab; the arrows go on from there. */}
      <div
        class="groups"
        tabIndex={0}
        role="group"
        aria-label={say.emoji}
        onFocus={(event) => { if (event.target === event.currentTarget) event.currentTarget.querySelector<HTMLButtonElement>('.grid button')?.focus(); }}
      >
        {query.trim() === ''
          ? EMOJI_GROUPS.map(({ group, emoji }) => <section key={group} aria-label={say.emojiGroups[group]}><h3>{say.emojiGroups[group]}</h3>{grid(emoji)}</section>)
          : found.length > 0 ? grid(found) : <p class="muted">{say.noEmoji}</p>}
      </div>
    </div>
  );
}

/** The one that an arrow leads to, by where they lie; `null`: up and out; `undefined`: not an arrow. */
function beside(all: readonly HTMLElement[], at: number, key: string): number | null | undefined {
  switch (key) {
    case 'ArrowRight': return Math.min(all.length - 1, at + 1);
    case 'ArrowLeft': return Math.max(0, at - 1);
    case 'Home': return 0;
    case 'End': return all.length - 1;
    case 'ArrowUp':
    case 'ArrowDown': {
      const here = all[at]?.getBoundingClientRect();
      if (!here) return undefined;
      const down = key === 'ArrowDown';
      const rows = all
        .map((element, index) => ({ index, rect: element.getBoundingClientRect() }))
        .filter(({ rect }) => (down ? rect.top > here.top + 1 : rect.top < here.top - 1));
      const off = (rect: DOMRect, side: 'top' | 'left'): number => Math.abs(rect[side] - here[side]);
      const nearest = rows.sort((a, b) => off(a.rect, 'top') - off(b.rect, 'top') || off(a.rect, 'left') - off(b.rect, 'left'))[0];
      return nearest ? nearest.index : down ? at : null;
    }
    default: return undefined;
  }
}
