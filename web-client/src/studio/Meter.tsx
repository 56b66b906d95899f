// The 28-segment level meter: green, amber above −12 dB, red above −3 dB, with its number.
import { useRef, useState } from 'preact/hooks';
import { METER_AMBER_DB, METER_FLOOR_DB, METER_RED_DB, METER_SEGMENTS, fallen, segmentDb, segmentsLit } from '../lib/audio_meter';
import { useScope } from '../ui/hooks';
import { words } from '../words';
import type { Desk } from './desk';

const text = words.studio;
/** Twice a second: a number that changes faster cannot be read. */
const NUMBER_EVERY_MS = 500;

const SEGMENTS = Array.from({ length: METER_SEGMENTS }, (_, index) => {
  const db = segmentDb(index);
  return db > METER_RED_DB ? 'red' : db > METER_AMBER_DB ? 'amber' : 'green';
});

export function Meter({ desk, number }: { desk: Desk; number?: boolean }) {
  const bar = useRef<HTMLDivElement>(null);
  const [peakDb, setPeakDb] = useState(METER_FLOOR_DB);

  useScope((until) => {
    let shownDb = METER_FLOOR_DB;
    let loudestDb = METER_FLOOR_DB;
    let lastMs = performance.now();
    let numberAtMs = lastMs;
    const draw = (nowMs: number): void => {
      if (until.aborted) return;
      const db = desk.level().peakDb;
      shownDb = fallen(shownDb, db, nowMs - lastMs);
      loudestDb = Math.max(loudestDb, db);
      lastMs = nowMs;
      const lit = segmentsLit(shownDb);
      const segments = bar.current?.children;
      for (let index = 0; segments && index < segments.length; index++) segments[index]?.classList.toggle('lit', index < lit);
      if (nowMs - numberAtMs >= NUMBER_EVERY_MS) {
        setPeakDb(Math.round(loudestDb));
        loudestDb = METER_FLOOR_DB;
        numberAtMs = nowMs;
      }
      requestAnimationFrame(draw);
    };
    requestAnimationFrame(draw);
  }, [desk]);

  const silent = peakDb <= METER_FLOOR_DB;
  const spoken = silent ? text.silent : text.decibels(peakDb);
  return (
    <>
      <div
        ref={bar} class="meter" role="meter" aria-label={text.level} aria-valuemin={METER_FLOOR_DB} aria-valuemax={0}
        aria-valuenow={peakDb} aria-valuetext={spoken}
      >
        {SEGMENTS.map((color, index) => <i key={index} class={color} />)}
      </div>
      {number && <span class="db num small">{spoken}</span>}
    </>
  );
}
