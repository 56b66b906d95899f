// Cameras, microphones and screens: opens them, names them, says in a closed set why one did not open.
import { type PictureKind, codecOrder } from './encodings';

export type CaptureFailure =
  /** The person or the browser said no. */
  | 'denied'
  /** No such device. */
  | 'missing'
  /** Another program holds it. */
  | 'busy'
  /** The person closed the screen picker. */
  | 'cancelled'
  /** Not a secure page, or not a browser that can. */
  | 'unsupported';

export class CaptureError extends Error {
  override readonly name = 'CaptureError';
  constructor(readonly failure: CaptureFailure) {
    super(failure);
  }
}

/** The codec that this browser will most likely publish in: the first of our order that it can encode. */
export function likelyCodec(): string | null {
  const codecs = typeof RTCRtpSender === 'undefined' ? [] : (RTCRtpSender.getCapabilities('video')?.codecs ?? []);
  return codecOrder(codecs)[0]?.mimeType.split('/')[1]?.toLowerCase() ?? null;
}

export type Device = { id: string; label: string };
export type Devices = { cameras: Device[]; microphones: Device[] };

/** Heights offered for the camera; the browser takes what comes nearest. */
export const CAMERA_HEIGHTS = [1080, 720, 360] as const;
export type CameraHeight = (typeof CAMERA_HEIGHTS)[number];

export function canCapture(): boolean {
  return typeof navigator !== 'undefined' && 'mediaDevices' in navigator && navigator.mediaDevices !== undefined;
}

export function canShareScreen(): boolean {
  return canCapture() && 'getDisplayMedia' in navigator.mediaDevices;
}

/** Names are empty until a permission was given once; such devices are left out. */
export async function listDevices(): Promise<Devices> {
  if (!canCapture()) return { cameras: [], microphones: [] };
  const all = await navigator.mediaDevices.enumerateDevices();
  const named = (kind: MediaDeviceKind): Device[] =>
    all.filter((device) => device.kind === kind && device.deviceId !== '' && device.label !== '').map(({ deviceId, label }) => ({ id: deviceId, label }));
  return { cameras: named('videoinput'), microphones: named('audioinput') };
}

export async function openCamera(deviceId: string | null, height: CameraHeight): Promise<MediaStreamTrack> {
  const stream = await open(() => navigator.mediaDevices.getUserMedia({
    video: {
      ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
      width: { ideal: (height * 16) / 9 }, height: { ideal: height }, frameRate: { ideal: 30, max: 60 },
    },
  }));
  return hinted(onlyTrack(stream.getVideoTracks()), 'camera');
}

/** As the hall sounds: nothing is cancelled or suppressed, because nobody is heard back and a crowd is no noise. */
export async function openMicrophone(deviceId: string | null): Promise<MediaStreamTrack> {
  const stream = await open(() => navigator.mediaDevices.getUserMedia({
    audio: {
      ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
      echoCancellation: false, noiseSuppression: false, autoGainControl: true, channelCount: { ideal: 2 },
    },
  }));
  return onlyTrack(stream.getAudioTracks());
}

/**
 * As a voice among voices: what the speakers play, the match above all, is cancelled out of it, so that it does not come back to friends. The
 * browser knows what it plays by elements, which is why voices and match are played by elements (docs/calls.md).
 */
export async function openVoice(deviceId: string | null): Promise<MediaStreamTrack> {
  const stream = await open(() => navigator.mediaDevices.getUserMedia({
    audio: {
      ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
      echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: { ideal: 1 },
    },
  }));
  const track = onlyTrack(stream.getAudioTracks());
  track.contentHint = 'speech';
  return track;
}

/** Sound comes along where the browser and the person allow it. */
export async function openScreen(audio: boolean = true): Promise<{ video: MediaStreamTrack; audio: MediaStreamTrack | null }> {
  if (!canShareScreen()) throw new CaptureError('unsupported');
  const stream = await open(() => navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 30 } }, audio }), 'cancelled');
  return { video: hinted(onlyTrack(stream.getVideoTracks()), 'screen'), audio: stream.getAudioTracks()[0] ?? null };
}

function hinted(track: MediaStreamTrack, kind: PictureKind): MediaStreamTrack {
  track.contentHint = kind === 'screen' ? 'detail' : 'motion';
  return track;
}

function onlyTrack(tracks: MediaStreamTrack[]): MediaStreamTrack {
  const [track] = tracks;
  if (!track) throw new CaptureError('missing');
  return track;
}

/** `refused`: what a `NotAllowedError` means here; a screen picker that is closed says the same as a permission denied. */
async function open(ask: () => Promise<MediaStream>, refused: CaptureFailure = 'denied'): Promise<MediaStream> {
  if (!canCapture()) throw new CaptureError('unsupported');
  try {
    return await ask();
  } catch (thrown) {
    throw new CaptureError(failureOf(thrown, refused));
  }
}

/** Names as in Media Capture and Streams, section 10.3. */
export function failureOf(thrown: unknown, refused: CaptureFailure = 'denied'): CaptureFailure {
  switch (thrown instanceof Error ? thrown.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return refused;
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'missing';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    default:
      return 'unsupported';
  }
}
