// A level meter for a microphone: RMS and peak in dBFS from an `AnalyserNode`. The numbers are pure; the graph is owned by an AbortSignal.

/** Below this a level counts as silence, dBFS. */
export const METER_FLOOR_DB = -60;
/** Amber above, red above, dBFS. */
export const METER_AMBER_DB = -12;
export const METER_RED_DB = -3;
export const METER_SEGMENTS = 28;

export type Level = { rmsDb: number; peakDb: number };

/** Samples in -1..1. */
export function levelOf(samples: Float32Array): Level {
  let sum = 0;
  let peak = 0;
  for (const sample of samples) {
    sum += sample * sample;
    peak = Math.max(peak, Math.abs(sample));
  }
  return { rmsDb: toDb(Math.sqrt(sum / Math.max(1, samples.length))), peakDb: toDb(peak) };
}

function toDb(amplitude: number): number {
  return amplitude <= 0 ? METER_FLOOR_DB : Math.max(METER_FLOOR_DB, 20 * Math.log10(amplitude));
}

/** How many of the segments are lit, 0 to `METER_SEGMENTS`. */
export function segmentsLit(db: number): number {
  return Math.round(((db - METER_FLOOR_DB) / -METER_FLOOR_DB) * METER_SEGMENTS);
}

/** The level at which a segment lights, dBFS. */
export function segmentDb(segment: number): number {
  return METER_FLOOR_DB + ((segment + 1) / METER_SEGMENTS) * -METER_FLOOR_DB;
}

/** Fast up, slow down, as meters have always moved: 20 dB a second. */
export function fallen(shownDb: number, nowDb: number, elapsedMs: number): number {
  return Math.max(nowDb, shownDb - (20 * elapsedMs) / 1000);
}

/** Listens to a track; returns a function that reads the level of the last 43 ms. */
export function meterTrack(context: AudioContext, track: MediaStreamTrack, lifetime: AbortSignal): () => Level {
  const source = context.createMediaStreamSource(new MediaStream([track]));
  const analyser = context.createAnalyser();
  analyser.fftSize = 2048;
  source.connect(analyser);
  lifetime.addEventListener('abort', () => source.disconnect(), { once: true });
  const samples = new Float32Array(analyser.fftSize);
  return () => {
    analyser.getFloatTimeDomainData(samples);
    return levelOf(samples);
  };
}
