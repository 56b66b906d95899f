// What the health panel says: a word and a tone for each number, and at most one piece of advice. Pure.
import type { PublisherHealth } from '../lib/publisher_state';

export type Word = 'measuring' | 'steady' | 'rising' | 'falling' | 'limited' | 'low' | 'high' | 'slow' | 'none';
export type Judgement = { word: Word; trouble: boolean };

/** Readings (one a second) that make up "now", and those it is compared with. */
const NOW = 4;
const BEFORE = 16;
/** A change by this factor is a trend, not noise. */
const TREND = 1.3;

/** A browser takes up to this long to find out what the network carries, seconds (20 measured for three H.264 layers). */
const RAMP = 30;

const mean = (values: readonly number[]): number => (values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length);

function trend(values: readonly number[]): 'steady' | 'rising' | 'falling' {
  const before = mean(values.slice(-NOW - BEFORE, -NOW));
  const now = mean(values.slice(-NOW));
  if (values.length < NOW * 2 || before === 0) return 'steady';
  return now > before * TREND ? 'rising' : now < before / TREND ? 'falling' : 'steady';
}

export function judgeUpload(history: readonly PublisherHealth[]): Judgement {
  const last = history.at(-1);
  if (!last) return { word: 'measuring', trouble: false };
  const limited = history.slice(-NOW).filter((reading) => reading.limitedBy === 'bandwidth').length;
  // The ramp after the start is limited as well, and gets better by itself.
  const word = trend(history.map((reading) => reading.uploadBps));
  if (limited >= NOW && word !== 'rising' && history.length > RAMP) return { word: 'limited', trouble: true };
  return { word, trouble: last.uploadBps === 0 };
}

/** `wanted`: what the source delivers, frames a second. */
export function judgeFrameRate(history: readonly PublisherHealth[], wanted: number): Judgement {
  // The first readings are the encoder getting up to speed.
  if (history.length < NOW * 2) return { word: 'measuring', trouble: false };
  const now = mean(history.slice(-NOW).map((reading) => reading.framesPerSecond));
  return now < wanted * 0.7 ? { word: 'low', trouble: true } : { word: 'steady', trouble: false };
}

/** Below half a per cent retransmission hides every loss; above two a viewer starts to notice. */
export function judgeLoss(history: readonly PublisherHealth[]): Judgement {
  const known = history.flatMap((reading) => reading.loss ?? []);
  if (known.length === 0) return { word: 'measuring', trouble: false };
  const now = mean(known.slice(-NOW));
  if (now >= 0.02) return { word: trend(known) === 'rising' ? 'rising' : 'high', trouble: true };
  if (now >= 0.005 && trend(known) === 'rising') return { word: 'rising', trouble: true };
  return { word: now === 0 ? 'none' : 'steady', trouble: false };
}

export function judgeRoundTrip(history: readonly PublisherHealth[]): Judgement {
  const known = history.flatMap((reading) => reading.roundTripMs ?? []);
  if (known.length === 0) return { word: 'measuring', trouble: false };
  return mean(known.slice(-NOW)) > 300 ? { word: 'slow', trouble: true } : { word: 'steady', trouble: false };
}

/** Why a smaller picture would help, if it would. Eight seconds of trouble, so that a hiccup gives no advice. */
export function adviceFor(history: readonly PublisherHealth[]): 'bandwidth' | 'cpu' | null {
  const recent = history.slice(-8);
  if (history.length <= RAMP || trend(history.map((reading) => reading.uploadBps)) === 'rising') return null;
  const count = (test: (reading: PublisherHealth) => boolean): number => recent.filter(test).length;
  if (count((reading) => reading.limitedBy === 'cpu') >= 6) return 'cpu';
  if (count((reading) => reading.limitedBy === 'bandwidth' || (reading.loss ?? 0) > 0.03) >= 6) return 'bandwidth';
  return null;
}

/** Points of a line through the readings, for a box of the given size; the newest is on the right. */
export function sparkline(values: readonly number[], width: number, height: number, slots: number): string {
  if (values.length < 2) return '';
  const top = Math.max(...values, 1e-9) * 1.15;
  return values
    .map((value, index) => {
      const x = width - ((values.length - 1 - index) * width) / (slots - 1);
      return `${index === 0 ? 'M' : 'L'}${x.toFixed(1)} ${(height - (value / top) * height).toFixed(1)}`;
    })
    .join('');
}
