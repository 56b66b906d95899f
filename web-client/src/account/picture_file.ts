// From a chosen file to what the server takes: a square WebP (JPEG where the browser writes none) of at most 128 KiB.
import { type Crop, squareOf } from './crop';

/** Sharp at 48 points on the densest screens, with room for larger places. */
const SIDE = 320;
/** The server's bound. */
const BYTES_MAX = 128 * 1024;
/** Tried one after the other; the last is far below the bound for any picture of this size. */
const QUALITIES = [0.9, 0.8, 0.65, 0.5, 0.3];
/** Larger files are no pictures of a person, and decoding them could take the page's memory. */
const FILE_BYTES_MAX = 50 * 1024 * 1024;

export type PictureFailure = 'unreadable' | 'too_large';

export class PictureError extends Error {
  override readonly name = 'PictureError';
  constructor(readonly failure: PictureFailure) {
    super(failure);
  }
}

/** Rejects with a `PictureError`. The caller closes the bitmap. */
export async function readPicture(file: Blob): Promise<ImageBitmap> {
  if (file.size > FILE_BYTES_MAX) throw new PictureError('too_large');
  const bitmap = await createImageBitmap(file).catch(() => { throw new PictureError('unreadable'); });
  if (bitmap.width > 0 && bitmap.height > 0) return bitmap;
  throw new PictureError('unreadable');
}

/** Draws what is cut out. */
export function drawCrop(canvas: HTMLCanvasElement, picture: ImageBitmap, crop: Crop, side: number): void {
  canvas.width = side;
  canvas.height = side;
  const context = canvas.getContext('2d');
  if (!context) return;
  const { left, top, side: from } = squareOf(picture, crop);
  // JPEG knows no transparency: what is see-through becomes white, not black.
  context.fillStyle = '#fff';
  context.fillRect(0, 0, side, side);
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, left, top, from, from, 0, 0, side, side);
}

/** Rejects with a `PictureError`. */
export async function encodeCrop(picture: ImageBitmap, crop: Crop): Promise<Blob> {
  const canvas = document.createElement('canvas');
  drawCrop(canvas, picture, crop, SIDE);
  for (const quality of QUALITIES) {
    const webp = await encode(canvas, 'image/webp', quality);
    // A browser that cannot write a type writes PNG instead.
    const blob = webp?.type === 'image/webp' ? webp : await encode(canvas, 'image/jpeg', quality);
    if (blob && blob.size <= BYTES_MAX) return blob;
  }
  throw new PictureError('unreadable');
}

function encode(canvas: HTMLCanvasElement, type: string, quality: number): Promise<Blob | null> {
  return new Promise((resolve) => canvas.toBlob(resolve, type, quality));
}
