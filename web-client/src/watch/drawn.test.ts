import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { followDrawn, linesOf } from './drawn';

const HD = { width: 1280, height: 720 };

test('a picture that fits inside its box has the lines of the tighter side', () => {
  expect(linesOf({ width: 1280, height: 664 }, HD, 'contain')).toBe(664);
  expect(linesOf({ width: 390, height: 844 }, HD, 'contain')).toBe(219);
  expect(linesOf({ width: 1000, height: 1000 }, { width: 720, height: 1280 }, 'contain')).toBe(1000);
});

test('a picture that covers its box has the lines of the wider side, what is cut off included', () => {
  expect(linesOf({ width: 1000, height: 200 }, HD, 'cover')).toBe(563);
  expect(linesOf({ width: 100, height: 720 }, HD, 'cover')).toBe(720);
});

test('before the first frame a picture is taken to be wide', () => {
  expect(linesOf({ width: 1600, height: 2000 }, { width: 0, height: 0 }, 'contain')).toBe(900);
});

let resized: (width: number, height: number) => void;
let seen: (is: boolean) => void;
let page: EventTarget & { hidden: boolean };
let video: EventTarget & { videoWidth: number; videoHeight: number };
let reports: number[];
let life: AbortController;

beforeEach(() => {
  vi.useFakeTimers();
  page = Object.assign(new EventTarget(), { hidden: false });
  video = Object.assign(new EventTarget(), { videoWidth: 1280, videoHeight: 720 });
  vi.stubGlobal('document', page);
  vi.stubGlobal('devicePixelRatio', 2);
  vi.stubGlobal('ResizeObserver', class {
    constructor(heard: (entries: object[]) => void) {
      resized = (inlineSize, blockSize) => heard([{ devicePixelContentBoxSize: [{ inlineSize, blockSize }] }]);
    }
    observe(): void {}
    disconnect(): void {}
  });
  vi.stubGlobal('IntersectionObserver', class {
    constructor(heard: (entries: object[]) => void) {
      seen = (isIntersecting) => heard([{ isIntersecting }]);
    }
    observe(): void {}
    disconnect(): void {}
  });
  reports = [];
  life = new AbortController();
  followDrawn(video as unknown as HTMLVideoElement, 'contain', (lines) => reports.push(lines), life.signal);
});
afterEach(() => {
  life.abort();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const hide = (hidden: boolean): void => {
  page.hidden = hidden;
  page.dispatchEvent(new Event('visibilitychange'));
};

test('the first size is told at once, a burst of further ones once', () => {
  resized(1280, 720);
  expect(reports).toEqual([720]);
  for (let height = 700; height > 360; height -= 20) {
    resized(1280, height);
    vi.advanceTimersByTime(50);
  }
  expect(reports).toEqual([720]);
  vi.advanceTimersByTime(300);
  expect(reports).toEqual([720, 380]);
});

test('a glance at another tab stops nothing, a hidden page stops the picture, the way back is immediate', () => {
  resized(1280, 720);
  hide(true);
  vi.advanceTimersByTime(2_000);
  hide(false);
  vi.advanceTimersByTime(10_000);
  expect(reports).toEqual([720]);
  hide(true);
  vi.advanceTimersByTime(3_000);
  hide(false);
  expect(reports).toEqual([720, 0, 720]);
});

test('what is scrolled out of view is not drawn', () => {
  resized(1280, 720);
  seen(false);
  vi.advanceTimersByTime(3_000);
  seen(true);
  expect(reports).toEqual([720, 0, 720]);
});

test('a floating window is drawn on a hidden page too, at its own size', () => {
  resized(1280, 720);
  const window = Object.assign(new EventTarget(), { width: 320, height: 180 });
  video.dispatchEvent(Object.assign(new Event('enterpictureinpicture'), { pictureInPictureWindow: window }));
  hide(true);
  vi.advanceTimersByTime(10_000);
  expect(reports).toEqual([720, 360]);
  window.width = 640;
  window.height = 360;
  window.dispatchEvent(new Event('resize'));
  vi.advanceTimersByTime(300);
  video.dispatchEvent(new Event('leavepictureinpicture'));
  vi.advanceTimersByTime(3_000);
  expect(reports).toEqual([720, 360, 720, 0]);
});

test('after its end nothing is told any more', () => {
  resized(1280, 720);
  resized(640, 360);
  life.abort();
  expect(vi.getTimerCount()).toBe(0);
});
