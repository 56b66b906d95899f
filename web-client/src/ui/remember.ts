// What this browser remembers between visits. Storage may be closed (private windows, policies): then nothing is remembered, quietly.

type Remembered = {
  theme: 'dark' | 'light';
  volume: number;
  muted: boolean;
  shortcuts: boolean;
  /** Whether the chat is shown, and whether it keeps to the moment on screen. */
  chat: boolean;
  chatFollows: boolean;
  /** Whether it lies over the picture in full screen. */
  chatOver: boolean;
  /** Whether a call that comes in is heard, whether the match is lowered behind friends, and where their faces are. */
  ringSound: boolean;
  lowering: boolean;
  faces: 'top' | 'side' | 'floating' | 'hidden';
};

/** The stored value, or `fallback` when there is none or it is of another kind. */
export function recall<K extends keyof Remembered, F extends Remembered[K] | null>(key: K, fallback: F): Remembered[K] | F {
  try {
    const text = localStorage.getItem(`courtside.${key}`);
    if (text === null) return fallback;
    const value: unknown = JSON.parse(text);
    return isKind(key, value) ? value : fallback;
  } catch {
    return fallback;
  }
}

export function remember<K extends keyof Remembered>(key: K, value: Remembered[K] | null): void {
  try {
    if (value === null) localStorage.removeItem(`courtside.${key}`);
    else localStorage.setItem(`courtside.${key}`, JSON.stringify(value));
  } catch {
    // Not remembered; the page works the same until it is closed.
  }
}

function isKind<K extends keyof Remembered>(key: K, value: unknown): value is Remembered[K] {
  switch (key) {
    case 'theme': return value === 'dark' || value === 'light';
    case 'volume': return typeof value === 'number' && value >= 0 && value <= 1;
    case 'faces': return value === 'top' || value === 'side' || value === 'floating' || value === 'hidden';
    default: return typeof value === 'boolean';
  }
}
