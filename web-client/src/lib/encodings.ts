// What a publisher's browser is asked to encode: simulcast layers and bit rates by picture size, and the order of codecs. Pure.

export type Encoding = { rid: string; scaleResolutionDownBy: number; maxBitrate: number; active: boolean };

/** Kinds of picture ask for different compromises: sport must move, text must be sharp. */
export type PictureKind = 'camera' | 'screen';

/** Generous enough for sport at 30 frames/s in H.264 baseline: height in pixels, bits per second. Between the rows, by area. */
const RATES: ReadonlyArray<readonly [height: number, bps: number]> = [
  [90, 80_000], [180, 160_000], [270, 320_000], [360, 650_000], [540, 1_400_000], [720, 2_500_000], [1080, 4_800_000], [2160, 14_000_000],
];

/** Highest useful bit rate for a picture of this height. */
export function bitrateFor(height: number): number {
  const above = RATES.find(([rowHeight]) => rowHeight >= height) ?? RATES.at(-1);
  const below = RATES.findLast(([rowHeight]) => rowHeight <= height) ?? RATES[0];
  if (!above || !below || above[0] === below[0]) return (above ?? below)?.[1] ?? 0;
  const share = (height ** 2 - below[0] ** 2) / (above[0] ** 2 - below[0] ** 2);
  return Math.round(below[1] + share * (above[1] - below[1]));
}

const RIDS = ['l', 'm', 'h'] as const;

/**
 * Three encodings for a picture of this height, smallest first; those that it has no use for come last and are off, so that a larger
 * picture (another camera, a screen) finds them negotiated. Chromium encodes three layers from 540 lines up and two from 270 (its own
 * table, `simulcast.cc`), and silently drops the **last** ones of what is more, so the full size must not be among those.
 */
export function encodingsFor(height: number): Encoding[] {
  const scales = height >= 540 ? [4, 2, 1] : height >= 270 ? [2, 1] : [1];
  return RIDS.map((rid, index) => {
    const scale = scales[index];
    return { rid, scaleResolutionDownBy: scale ?? 1, maxBitrate: bitrateFor(height / (scale ?? 1)), active: scale !== undefined };
  });
}

/**
 * Puts `wanted` into the parameters of a sender. Layers that `rests` names are not encoded for now; the smallest never rests, so that whoever comes sees
 * something at once.
 */
export function fillEncodings(present: readonly RTCRtpEncodingParameters[], wanted: readonly Encoding[], rests: (rid: string, index: number) => boolean): void {
  present.forEach((encoding, index) => {
    const { scaleResolutionDownBy, maxBitrate, active } = wanted[index] ?? encoding;
    const isSent = active === true && (index === 0 || !rests(encoding.rid ?? '', index));
    Object.assign(encoding, { scaleResolutionDownBy, maxBitrate, active: isSent });
  });
}

/** A face is at most this tall in a call, a shared screen that; on air there is room for more. Lines. */
const FACE_LINES = 360;
const SCREEN_LINES = 1080;
/** Text that stands still needs little, and a call shares its way with the match, bits per second. */
const SCREEN_BPS = 1_500_000;

/** For what a call member sends, of a picture of this height: smallest first, as `encodingsFor`, and no larger than is looked at. */
export function callEncodings(height: number, kind: PictureKind, isOnAir: boolean): Encoding[] {
  const most = isOnAir ? 720 : kind === 'screen' ? SCREEN_LINES : FACE_LINES;
  const lines = Math.min(height, most);
  const down = Math.max(1, height / most);
  return encodingsFor(lines).map((encoding) => ({
    ...encoding,
    scaleResolutionDownBy: encoding.scaleResolutionDownBy * down,
    maxBitrate: kind === 'screen' ? Math.min(encoding.maxBitrate, SCREEN_BPS) : encoding.maxBitrate,
  }));
}

type CodecCapability = { mimeType: string; sdpFmtpLine?: string };

/** H.264 first, because every viewer's hardware decodes it, then VP8, then the rest. Repair formats keep their place behind. */
export function codecOrder<T extends CodecCapability>(codecs: readonly T[]): T[] {
  return codecs.map((codec, index) => ({ codec, rank: codecRank(codec), index }))
    .sort((a, b) => a.rank - b.rank || a.index - b.index)
    .map(({ codec }) => codec);
}

function codecRank({ mimeType, sdpFmtpLine = '' }: CodecCapability): number {
  switch (mimeType.toLowerCase()) {
    case 'video/h264':
      // Packetization mode 1 carries frames larger than a packet without slicing (RFC 6184 section 6.3); constrained baseline decodes everywhere.
      return (sdpFmtpLine.includes('packetization-mode=1') ? 0 : 2) + (/profile-level-id=42e0/i.test(sdpFmtpLine) ? 0 : 1);
    case 'video/vp8':
      return 4;
    case 'video/rtx':
    case 'video/red':
    case 'video/ulpfec':
    case 'video/flexfec-03':
      return 6;
    default:
      return 5;
  }
}

/** What friends send each other and what everybody can decode: an offer for a dozen faces that listed more would outgrow the server's limit. */
export function callCodecs<T extends CodecCapability>(codecs: readonly T[]): T[] {
  return codecOrder(codecs).filter(({ mimeType, sdpFmtpLine = '' }) => {
    switch (mimeType.toLowerCase()) {
      case 'video/h264': return sdpFmtpLine.includes('packetization-mode=1') && /profile-level-id=42/i.test(sdpFmtpLine);
      case 'video/vp8': case 'video/rtx': return true;
      default: return false;
    }
  });
}
