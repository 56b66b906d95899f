// Which square of a picture is cut out, and how it is moved and enlarged. Pure; lengths are pixels of the picture.

export type Size = { width: number; height: number };

/** The middle of the square, and how much the picture is enlarged: at 1 the square is as large as it can be. */
export type Crop = { x: number; y: number; zoom: number };

export const ZOOM_MAX = 4;

/** The largest square in the middle. */
export function wholeCrop({ width, height }: Size): Crop {
  return { x: width / 2, y: height / 2, zoom: 1 };
}

/** Side of the square. */
export function sideOf(size: Size, { zoom }: Crop): number {
  return Math.min(size.width, size.height) / zoom;
}

/** Moves by a share of the square's side (as a finger moves over the frame: the picture follows it), staying inside the picture. */
export function moved(size: Size, crop: Crop, right: number, down: number): Crop {
  const side = sideOf(size, crop);
  return inside(size, { ...crop, x: crop.x - right * side, y: crop.y - down * side });
}

export function zoomed(size: Size, crop: Crop, zoom: number): Crop {
  return inside(size, { ...crop, zoom: Math.min(ZOOM_MAX, Math.max(1, zoom)) });
}

/** What `drawImage` takes: left, top, side. */
export function squareOf(size: Size, crop: Crop): { left: number; top: number; side: number } {
  const side = sideOf(size, crop);
  return { left: crop.x - side / 2, top: crop.y - side / 2, side };
}

function inside(size: Size, crop: Crop): Crop {
  const half = sideOf(size, crop) / 2;
  const within = (value: number, length: number): number => Math.min(length - half, Math.max(half, value));
  return { ...crop, x: within(crop.x, size.width), y: within(crop.y, size.height) };
}
