// Posters for the home page: a small JPEG of what is on air, soon after the start and then every now and then.
import type { ReadonlySignal } from '@preact/signals';
import { putPoster } from '../lib/api';
import type { PublisherPhase } from '../lib/publisher_state';
import { every } from '../lib/worker_timer';

const WIDTH = 640;
/** The server takes no more, bytes. */
const MAX_BYTES = 200_000;
/** Long enough after the start for a camera to have found its exposure, ms. */
const FIRST_AFTER_MS = 2_000;
const EVERY_MS = 15_000;
const TICK_MS = 1_000;
/** Tried in turn until the picture is small enough. */
const QUALITIES = [0.8, 0.6, 0.4];

/** Keeps the poster of a broadcast fresh until `lifetime` aborts. */
export function keepPoster(
  own: { id: string; token: string },
  track: () => MediaStreamTrack | null,
  phase: ReadonlySignal<PublisherPhase>,
  lifetime: AbortSignal,
): void {
  const video = document.createElement('video');
  video.muted = true;
  video.playsInline = true;
  let dueAt = Infinity;
  every(TICK_MS, () => {
    const now = performance.now();
    if (phase.value.kind !== 'live') return;
    if (dueAt === Infinity) dueAt = now + FIRST_AFTER_MS;
    if (now < dueAt) return;
    dueAt = now + EVERY_MS;
    void upload(own, video, track(), lifetime);
  }, lifetime);
  lifetime.addEventListener('abort', () => { video.srcObject = null; }, { once: true });
}

async function upload(own: { id: string; token: string }, video: HTMLVideoElement, track: MediaStreamTrack | null, signal: AbortSignal): Promise<void> {
  try {
    // A picture that is off would put a black card on the home page.
    if (!track || !track.enabled || track.readyState === 'ended') return;
    const shown = video.srcObject instanceof MediaStream ? video.srcObject.getVideoTracks()[0] : null;
    if (shown !== track) video.srcObject = new MediaStream([track]);
    await video.play();
    const jpeg = await draw(video);
    video.pause();
    if (jpeg) await putPoster(own.id, jpeg, { token: own.token, signal });
  } catch {
    // A poster is decoration: the next one is on its way in 15 s.
  }
}

async function draw(video: HTMLVideoElement): Promise<Blob | null> {
  if (video.videoWidth === 0) return null;
  const canvas = document.createElement('canvas');
  canvas.width = WIDTH;
  canvas.height = Math.round((WIDTH * video.videoHeight) / video.videoWidth);
  canvas.getContext('2d')?.drawImage(video, 0, 0, canvas.width, canvas.height);
  for (const quality of QUALITIES) {
    const jpeg = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/jpeg', quality));
    if (jpeg && jpeg.size <= MAX_BYTES) return jpeg;
  }
  return null;
}
