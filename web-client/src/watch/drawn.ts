// How many lines of a picture are on screen: measured from its element, reported to whoever sends it. Pixels nobody sees are not sent.
import { useScope } from '../ui/hooks';
import type { RefObject } from 'preact';

/** CSS or device pixels, whatever both are given in. */
export type Size = { width: number; height: number };
export type Fit = 'contain' | 'cover';

/** Before the first frame: what pictures of matches are. */
const ASSUMED: Size = { width: 16, height: 9 };

/** Lines of `picture` when it fills `box` in the way of `fit` (CSS object-fit). The part that `cover` cuts off counts: it is sent too. */
export function linesOf(box: Size, picture: Size, fit: Fit): number {
  const { width, height } = picture.width > 0 && picture.height > 0 ? picture : ASSUMED;
  const scales = [box.width / width, box.height / height] as const;
  return Math.round(height * (fit === 'contain' ? Math.min(...scales) : Math.max(...scales)));
}

/** Sizes change in bursts (a window that is dragged, a layout that settles): the last one counts, ms. */
const SETTLE_MS = 300;
/** Someone who looks at another tab for a moment comes back to a picture that never stopped, ms. */
const HIDE_AFTER_MS = 3_000;

/** Calls `report` with the lines that `video` draws, 0 while nobody can see it, whenever they change; until `until` aborts. */
export function followDrawn(video: HTMLVideoElement, fit: Fit, report: (lines: number) => void, until: AbortSignal): void {
  let box: Size | null = null;
  let inView = true;
  let floating: PictureInPictureWindow | null = null;
  let reported: number | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const measure = (): number => {
    const picture = { width: video.videoWidth, height: video.videoHeight };
    // The window that floats over others is seen whatever becomes of the page.
    if (floating) return linesOf(inPixels(floating), picture, 'contain');
    if (!box || !inView || document.hidden) return 0;
    return linesOf(box, picture, fit);
  };
  const settle = (): void => {
    const lines = measure();
    if (lines !== reported) report(lines);
    reported = lines;
  };
  const changed = (): void => {
    const lines = measure();
    clearTimeout(timer);
    if (lines === reported) return;
    // The first size and the way back from nothing hold nobody up.
    if (!reported && lines > 0) settle();
    else timer = setTimeout(settle, lines === 0 ? HIDE_AFTER_MS : SETTLE_MS);
  };

  const sizes = new ResizeObserver(([entry]) => {
    const exact = entry?.devicePixelContentBoxSize?.[0];
    box = exact ? { width: exact.inlineSize, height: exact.blockSize } : inPixels({ width: video.clientWidth, height: video.clientHeight });
    changed();
  });
  try {
    sizes.observe(video, { box: 'device-pixel-content-box' });
  } catch {
    // Safari knows CSS pixels only.
    sizes.observe(video);
  }
  const views = new IntersectionObserver((entries) => {
    inView = entries.at(-1)?.isIntersecting ?? true;
    changed();
  });
  views.observe(video);
  until.addEventListener('abort', () => {
    sizes.disconnect();
    views.disconnect();
    clearTimeout(timer);
  }, { once: true });

  document.addEventListener('visibilitychange', changed, { signal: until });
  // The picture itself changed its shape: another layer, another source.
  video.addEventListener('resize', changed, { signal: until });
  video.addEventListener('enterpictureinpicture', (event) => {
    floating = (event as PictureInPictureEvent).pictureInPictureWindow;
    floating.addEventListener('resize', changed, { signal: until });
    changed();
  }, { signal: until });
  video.addEventListener('leavepictureinpicture', () => {
    floating = null;
    changed();
  }, { signal: until });
}

const inPixels = ({ width, height }: Size): Size => ({ width: width * devicePixelRatio, height: height * devicePixelRatio });

/** `followDrawn` for as long as the component shows the element. */
export function useDrawn(video: RefObject<HTMLVideoElement | null>, fit: Fit, session: { drawn: (lines: number) => void }): void {
  useScope((until) => {
    if (video.current) followDrawn(video.current, fit, (lines) => session.drawn(lines), until);
  }, [session]);
}
