// Put into watching pages: writes down every frame that is shown by the picture in front, so that a test can ask what a person saw of a flip.
// Needs `barcode.js`.
globalThis.shownFrames = [];
(() => {
  const follow = (video, engine) => {
    const next = () => video.requestVideoFrameCallback((now, { expectedDisplayTime }) => {
      if (globalThis.pictureInFront() === video) {
        globalThis.shownFrames.push({ engine, at: Math.max(now, expectedDisplayTime), counter: globalThis.barcode.read(video) });
        if (globalThis.shownFrames.length > 20_000) globalThis.shownFrames.shift();
      }
      next();
    });
    next();
    // A flip shows the frame that the other picture already has, between two frames of its own.
    new MutationObserver(() => {
      if (!video.hasAttribute('data-front')) return;
      globalThis.shownFrames.push({ engine, at: performance.now(), counter: globalThis.barcode.read(video), flip: true });
    }).observe(video, { attributeFilter: ['data-front'] });
  };
  const looking = new MutationObserver(() => {
    const [webrtc, hls] = document.querySelectorAll('.player > video');
    if (!hls) return;
    looking.disconnect();
    follow(webrtc, 'webrtc');
    follow(hls, 'hls');
  });
  looking.observe(document, { subtree: true, childList: true });

  /**
   * Each flip from `engine` on: how long the picture stood still around it, what was repeated (negative) or skipped, ms, and whether the
   * element in front was ever without a picture.
   */
  globalThis.flipsFrom = (engine) => {
    const frames = globalThis.shownFrames;
    const flips = [];
    frames.forEach((frame, index) => {
      const before = frames.slice(0, index).findLast(({ counter }) => counter !== null);
      if (!before || before.engine !== engine || frame.engine === engine) return;
      if (flips.length > 0 && flips.at(-1).toIndex > index) return;
      const after = frames.slice(index).find(({ counter }) => counter !== null);
      if (!after) return;
      // The next frame that is another one: before it nothing moves.
      const moved = frames.slice(index).find(({ counter, engine: by }) => by === frame.engine && counter !== null && counter !== before.counter);
      flips.push({ toIndex: index + 1, gapMs: (moved ?? after).at - before.at, jumpMs: globalThis.barcode.age(before.counter, after.counter), readable: frame.counter !== null });
    });
    return flips.filter(({ toIndex }, index) => index === 0 || toIndex - flips[index - 1].toIndex > 1);
  };
})();
