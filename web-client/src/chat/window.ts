// Which lines of a long list are drawn, when each has its own height. Pure.

/** Lines drawn at most, however tall the list is: the size of the page does not grow with the talk. */
export const DRAWN_MAX = 120;
/** A line that was never drawn is taken to be so tall, pixels. */
export const ASSUMED_HEIGHT = 28;

export type Window = {
  /** The first line drawn and the one after the last. */
  from: number;
  to: number;
  /** Pixels above and below that stand for what is not drawn. */
  above: number;
  below: number;
};

/** `heights`: of each line, in order. `top`: how far the list is scrolled, `height`: how much of it is seen, `margin`: drawn beyond that. */
export function windowOf(heights: readonly number[], top: number, height: number, margin: number): Window {
  let from = 0;
  let above = 0;
  while (from < heights.length - 1 && above + (heights[from] ?? 0) <= top - margin) above += heights[from++] ?? 0;
  let to = from;
  let bottom = above;
  while (to < heights.length && to - from < DRAWN_MAX && bottom < top + height + margin) bottom += heights[to++] ?? 0;
  let below = 0;
  for (let line = to; line < heights.length; line++) below += heights[line] ?? 0;
  return { from, to, above, below };
}

/** The end of the list. */
export function windowAtEnd(heights: readonly number[], height: number, margin: number): Window {
  const all = heights.reduce((sum, each) => sum + each, 0);
  return windowOf(heights, Math.max(0, all - height), height, margin);
}
