// The reactions of everybody, rising over the picture. One canvas, drawn only while something rises and somebody can see it.
import { useRef } from 'preact/hooks';
import type { ChatRoom } from '../chat/room';
import type { ReactionKind } from '../protocol';
import { useMedia, useScope } from '../ui/hooks';
import { ART } from './kinds';
import { type Drawing, Particles } from './particles';

/** Artwork is rasterised once, at the largest size that is drawn, device pixels. */
const RASTER = 128;
/** Finer than this nobody sees in something that moves. */
const RATIO_MAX = 2;

export function Rising({ room }: { room: ChatRoom }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const still = useMedia('(prefers-reduced-motion: reduce)');
  useScope((until) => {
    if (canvas.current && !still) draw(canvas.current, room, until);
  }, [room, still]);
  return still ? null : <canvas ref={canvas} class="rising" aria-hidden="true" />;
}

function draw(canvas: HTMLCanvasElement, room: ChatRoom, until: AbortSignal): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  const particles = new Particles();
  const art = new Map<ReactionKind, CanvasImageSource>();
  let size = { width: 0, height: 0, ratio: 1 };
  let frame = 0;

  const paint = (nowMs: number): void => {
    frame = 0;
    context.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
    context.clearRect(0, 0, size.width, size.height);
    const drawings = particles.at(nowMs, size.width, size.height);
    for (const drawing of drawings) paintOne(context, drawing, art.get(drawing.kind));
    // Those of the last moment may not have begun to rise.
    if (!particles.isDone(nowMs)) next();
    else particles.clear();
  };
  const next = (): void => {
    if (frame === 0 && !document.hidden) frame = requestAnimationFrame(paint);
  };

  const sizes = new ResizeObserver(() => {
    const ratio = Math.min(RATIO_MAX, devicePixelRatio);
    size = { width: canvas.clientWidth, height: canvas.clientHeight, ratio };
    canvas.width = Math.round(size.width * ratio);
    canvas.height = Math.round(size.height * ratio);
    next();
  });
  sizes.observe(canvas);
  const stop = room.burst.subscribe((burst) => {
    if (!burst || document.hidden) return;
    for (const { kind } of burst.counts) load(kind, art);
    particles.add(burst.counts, performance.now(), Math.random);
    next();
  });
  until.addEventListener('abort', () => {
    stop();
    sizes.disconnect();
    cancelAnimationFrame(frame);
  }, { once: true });
}

/** Puts the artwork of a kind into `art` once it is there; until then its drawings are left out. */
function load(kind: ReactionKind, art: Map<ReactionKind, CanvasImageSource>): void {
  if (art.has(kind)) return;
  const image = new Image(RASTER, RASTER);
  image.src = ART[kind];
  art.set(kind, image);
  image.decode().then(() => {
    const raster = document.createElement('canvas');
    raster.width = raster.height = RASTER;
    raster.getContext('2d')?.drawImage(image, 0, 0, RASTER, RASTER);
    art.set(kind, raster);
  }, () => art.delete(kind));
}

function paintOne(context: CanvasRenderingContext2D, { x, y, size, turn, opacity, count }: Drawing, art: CanvasImageSource | undefined): void {
  if (!art || (art instanceof HTMLImageElement && !art.complete)) return;
  context.save();
  context.globalAlpha = opacity;
  context.translate(x, y);
  context.save();
  context.rotate(turn);
  context.drawImage(art, -size / 2, -size / 2, size, size);
  context.restore();
  if (count > 1) {
    const text = count < 1000 ? `×${count}` : `×${(count / 1000).toFixed(count < 10_000 ? 1 : 0)}k`;
    context.font = `700 ${Math.max(12, size * 0.32)}px "Archivo Variable", sans-serif`;
    context.textAlign = 'center';
    context.lineWidth = 3;
    context.strokeStyle = 'rgb(8 11 12 / 0.78)';
    context.strokeText(text, 0, size * 0.62);
    context.fillStyle = '#fff';
    context.fillText(text, 0, size * 0.62);
  }
  context.restore();
}
