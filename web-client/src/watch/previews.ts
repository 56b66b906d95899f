// Preview pictures of the seek bar: the list that the server keeps, and the sheets that it names. Asked for while somebody looks for a place.
import { type ReadonlySignal, signal } from '@preact/signals';

export type Preview = { atMs: number; sheet: string; x: number; y: number; width: number; height: number };

/** A list is good for this long, ms: every ten seconds there is one picture more. */
const LIST_FOR_MS = 10_000;
/** Sheets kept where a token is needed to read them; 25 pictures each. */
const SHEETS_MAX = 12;
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
  readonly #base: string;
  readonly #token: string | null;
  readonly #until: AbortSignal;
  readonly #list = signal<readonly Preview[]>([]);
  /** Addresses that a style can name, by sheet. */
  readonly #sheets = signal<ReadonlyMap<string, string>>(new Map());
  #asked = new Set<string>();
  #listAt = -Infinity;

  constructor(base: string, token: string | null, until: AbortSignal) {
    this.#base = base;
    this.#token = token;
    this.#until = until;
    until.addEventListener('abort', () => { for (const url of this.#sheets.peek().values()) URL.revokeObjectURL(url); }, { once: true });
  }

  get list(): ReadonlySignal<readonly Preview[]> {
    return this.#list;
  }

  /** Somebody looks: what there is by now. Pictures are an ornament, so what fails is asked for again by the next look. */
  look(now: number): void {
    if (now - this.#listAt < LIST_FOR_MS) return;
    this.#listAt = now;
    this.#fetch(`${this.#base}/thumbs.vtt`)
      .then((response) => response.text())
      .then((vtt) => { this.#list.value = previewsOf(vtt, this.#base); }, () => undefined);
  }

  /** Where a sheet can be shown from; `null` while it is on its way. */
  sheet(url: string): string | null {
    // A style sends no token: with one, the sheet is fetched and named by an address of this page's own.
    if (this.#token === null) return url;
    const known = this.#sheets.value.get(url);
    if (known === undefined && !this.#asked.has(url)) void this.#bring(url);
    return known ?? null;
  }

  async #bring(url: string): Promise<void> {
    this.#asked.add(url);
    try {
      const blob = await (await this.#fetch(url)).blob();
      if (this.#until.aborted) return;
      const sheets = new Map(this.#sheets.peek()).set(url, URL.createObjectURL(blob));
      for (const [oldest, address] of sheets) {
        if (sheets.size <= SHEETS_MAX) break;
        sheets.delete(oldest);
        this.#asked.delete(oldest);
        URL.revokeObjectURL(address);
      }
      this.#sheets.value = sheets;
    } catch {
      this.#asked.delete(url);
    }
  }

  async #fetch(url: string): Promise<Response> {
    const response = await fetch(url, { signal: this.#until, ...(this.#token === null ? {} : { headers: { authorization: `Bearer ${this.#token}` } }) });
    if (!response.ok) throw new Error(`${url}: ${response.status}`);
    return response;
  }
}
