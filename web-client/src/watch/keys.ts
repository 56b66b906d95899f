// Which key does what in the player. Pure, so that the list of keys and what they do cannot drift apart unseen.

export type KeyAction = 'play' | 'mute' | 'full_screen' | 'theatre' | 'stats' | 'picture_in_picture' | 'louder' | 'quieter' | 'live' | 'list' | 'chat' | 'show_chat' | 'react' | 'close' | 'friends' | CallAction | RewindAction;
/** Only in a call. */
export type CallAction = 'microphone' | 'camera' | 'talk';
/** Only where a broadcast is recorded. */
export type RewindAction = 'back_5' | 'forward_5' | 'back_10' | 'forward_10' | 'start';


const ACTIONS: Readonly<Record<string, KeyAction>> = {
  ' ': 'play', k: 'play', m: 'mute', f: 'full_screen', t: 'theatre', i: 'stats', p: 'picture_in_picture',
  ArrowUp: 'louder', ArrowDown: 'quieter', End: 'live', '?': 'list', Enter: 'chat', h: 'show_chat', Escape: 'close',
  w: 'friends', d: 'microphone', e: 'camera', v: 'talk',
  ArrowLeft: 'back_5', ArrowRight: 'forward_5', j: 'back_10', l: 'forward_10', Home: 'start',
  1: 'react', 2: 'react', 3: 'react', 4: 'react', 5: 'react', 6: 'react',
};

/** Where the key was pressed, as far as it matters: what has its own use for some keys. */
export type KeyTarget = 'page' | 'text' | 'button' | 'slider' | 'modal';

export type KeyPress = { key: string; ctrlKey: boolean; altKey: boolean; metaKey: boolean };

/** `null`: the key belongs to the browser or to what has focus. */
export function actionOf(press: KeyPress, target: KeyTarget): KeyAction | null {
  if (press.ctrlKey || press.altKey || press.metaKey) return null;
  const action = ACTIONS[press.key.length === 1 ? press.key.toLowerCase() : press.key] ?? null;
  switch (target) {
    case 'page': return action;
    case 'text': case 'modal': return null;
    case 'button': return press.key === ' ' || press.key === 'Enter' ? null : action;
    case 'slider': return press.key.startsWith('Arrow') || press.key === 'End' || press.key === 'Home' ? null : action;
  }
}

/** How far an action moves, ms; `null` for those that move nothing. */
export function stepOf(action: KeyAction): number | null {
  switch (action) {
    case 'back_5': return -5_000;
    case 'forward_5': return 5_000;
    case 'back_10': return -10_000;
    case 'forward_10': return 10_000;
    default: return null;
  }
}

export function keyTargetOf(target: EventTarget | null): KeyTarget {
  if (!(target instanceof Element)) return 'page';
  if (target.closest('dialog, [role="menu"]')) return 'modal';
  if (target.closest('input[type="range"]')) return 'slider';
  if (target.closest('input, textarea, select, [contenteditable]')) return 'text';
  if (target.closest('button, a, [role="button"]')) return 'button';
  return 'page';
}
