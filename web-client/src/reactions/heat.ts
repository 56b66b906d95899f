// How much people threw at the screen, over the match: what the server has summed, and what has come since. Pure but for the one request.
import { type ReadonlySignal, signal } from '@preact/signals';
import { call } from '../lib/api';
import type { HeatLine, HeatPoint } from '../protocol';

/** A step before the server has said how long its own are, ms. */
const STEP_MS = 10_000;
/** Steps kept: as many as the server keeps. */
const STEPS_MAX = 4_320;

export class Heat {
  #stepMs = STEP_MS;
  /** By the time at which a step begins. */
  #counts = new Map<number, number>();
  readonly #points = signal<readonly HeatPoint[]>([]);

  /** In the order of time; steps in which nothing happened are left out. */
  get points(): ReadonlySignal<readonly HeatPoint[]> {
    return this.#points;
  }
  get stepMs(): number {
    return this.#stepMs;
  }

  /** So many more at a moment (media time, ms). */
  add(momentMs: number, count: number): void {
    const begins = Math.floor(momentMs / this.#stepMs) * this.#stepMs;
    this.#counts.set(begins, (this.#counts.get(begins) ?? 0) + count);
    this.#changed();
  }

  /** What the server has. What came since it was read is in it or is counted again by the next one. */
  take({ step_ms: stepMs, points }: HeatLine): void {
    this.#stepMs = stepMs;
    const read = new Map(points.map(({ at_ms, count }) => [at_ms, count]));
    for (const [begins, count] of this.#counts) if (begins % stepMs === 0) read.set(begins, Math.max(count, read.get(begins) ?? 0));
    this.#counts = read;
    this.#changed();
  }

  /** Asks the server; a line that cannot be read is drawn from what comes. */
  async read(broadcast: string, signal: AbortSignal): Promise<void> {
    try {
      const response = await call('GET', `/api/v1/broadcasts/${encodeURIComponent(broadcast)}/heat`, null, { signal });
      this.take((await response.json()) as HeatLine);
    } catch {
      // It is an ornament: nobody is told, and the next visit asks again.
    }
  }

  #changed(): void {
    const points = [...this.#counts].map(([at_ms, count]) => ({ at_ms, count })).sort((a, b) => a.at_ms - b.at_ms);
    for (const { at_ms } of points.splice(0, Math.max(0, points.length - STEPS_MAX))) this.#counts.delete(at_ms);
    this.#points.value = points;
  }
}

export type HeatSpan = { fromMs: number; toMs: number; stepMs: number };

/** Heights from 0 to 1, `columns` of them, over a span of media time. A square root keeps small moments visible beside a goal. */
export function columnsOf(points: readonly HeatPoint[], { fromMs, toMs, stepMs }: HeatSpan, columns: number): number[] {
  const sums = new Array<number>(columns).fill(0);
  const length = toMs - fromMs;
  if (length <= 0) return sums;
  for (const { at_ms, count } of points) {
    const at = Math.floor(((at_ms + stepMs / 2 - fromMs) / length) * columns);
    if (at >= 0 && at < columns) sums[at] = (sums[at] ?? 0) + count;
  }
  const most = Math.max(...sums);
  return most === 0 ? sums : sums.map((sum) => Math.sqrt(sum / most));
}

/** A smooth outline in a box of 1000 by 100, closed along its bottom. */
export function outlineOf(heights: readonly number[]): string {
  const wide = 1000 / Math.max(1, heights.length);
  const place = (height: number, index: number): readonly [number, number] => [Math.round((index + 0.5) * wide), Math.round(100 - height * 96)];
  const points = [[0, 100] as const, ...heights.map(place), [1000, 100] as const];
  const curves = points.slice(1).map(([x, y], index) => {
    const [beforeX, beforeY] = points[index] ?? [0, 100];
    const middle = Math.round((beforeX + x) / 2);
    return `C${middle} ${beforeY} ${middle} ${y} ${x} ${y}`;
  });
  return `M0 100${curves.join('')}Z`;
}
