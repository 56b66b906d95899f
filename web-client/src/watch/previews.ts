// Preview pictures of the seek bar: the list that the server keeps, and the sheets that it names. Asked for while somebody looks for a place.
import { type ReadonlySignal, signal } from '@preact/signals';

export type Preview = { atMs: number; sheet: string; x: number; y: number; width: number; height: number };

/** A list is good for this long, ms: every ten seconds there is one picture more. */
const LIST_FOR_MS = 10_000;
/** A picture further from its place than this shows something else, ms. */
const NEAR_MS = 20_000;

/** WebVTT whose cues are named by the media time of their picture, and name it by `#xywh` (`docs/hls.md`). What is not so is passed over. */
export function previewsOf(vtt: string, base: string): readonly Preview[] {
  const cues = vtt.split('\n\n').slice(1);
  return cues.flatMap((cue) => {
    const [name = '', , picture = ''] = cue.split('\n');
    const atMs = Date.parse(name);
    const [, file, ...sides] = /^([^#]+)#xywh=(\d+),(\d+),(\d+),(\d+)$/.exec(picture.trim()) ?? [];
    const [x, y, width, height] = sides.map(Number);
    if (Number.isNaN(atMs) || !file || x === undefined || y === undefined || !width || !height) return [];
    return [{ atMs, sheet: `${base}/${file}`, x, y, width, height }];
  });
}

/** The picture next to `atMs`; in order of time. */
export function previewAt(previews: readonly Preview[], atMs: number): Preview | null {
  let best: Preview | null = null;
  for (const preview of previews) if (best === null || Math.abs(preview.atMs - atMs) < Math.abs(best.atMs - atMs)) best = preview;
  return best !== null && Math.abs(best.atMs - atMs) <= NEAR_MS ? best : null;
}

export class Previews {
  readonly #base: () => Promise<string>;
  readonly #until: AbortSignal;
  readonly #list = signal<readonly Preview[]>([]);
  #listAt = -Infinity;

  /** `base`: the path before `/thumbs.vtt`, open as it is because a style sends no token. */
  constructor(base: () => Promise<string>, until: AbortSignal) {
    this.#base = base;
    this.#until = until;
  }

  get list(): ReadonlySignal<readonly Preview[]> {
    return this.#list;
  }

  /** Somebody looks: what there is by now. Pictures are an ornament, so what fails is asked for again by the next look. */
  look(now: number): void {
    if (now - this.#listAt < LIST_FOR_MS) return;
    this.#listAt = now;
    this.#bring().then((list) => { this.#list.value = list; }, () => undefined);
  }

  async #bring(): Promise<readonly Preview[]> {
    const base = await this.#base();
    const response = await fetch(`${base}/thumbs.vtt`, { signal: this.#until });
    if (!response.ok) throw new Error(`${base}/thumbs.vtt: ${response.status}`);
    return previewsOf(await response.text(), base);
  }
}
