// The sound of a call that comes in: two soft notes, made here, so that nothing is loaded for it.

const NOTES_HZ = [587.33, 880] as const;
const NOTE_S = 0.42;
const EVERY_MS = 2_400;
const PEAK = 0.12;
/** Silence, as a ramp by ratio can reach it. */
const FLOOR = 0.0001;

/** Rings until `until` aborts. A browser that has not been touched yet lets no sound out; the card is there all the same. */
export function ringTone(until: AbortSignal): void {
  if (typeof AudioContext === 'undefined') return;
  const context = new AudioContext();
  const ring = (): void => {
    if (context.state !== 'running') return;
    NOTES_HZ.forEach((hz, index) => {
      const at = context.currentTime + 0.02 + index * NOTE_S * 0.6;
      const tone = context.createOscillator();
      const gain = context.createGain();
      tone.frequency.value = hz;
      gain.gain.setValueAtTime(FLOOR, at);
      gain.gain.exponentialRampToValueAtTime(PEAK, at + 0.03);
      gain.gain.exponentialRampToValueAtTime(FLOOR, at + NOTE_S);
      tone.connect(gain).connect(context.destination);
      tone.start(at);
      tone.stop(at + NOTE_S);
    });
  };
  context.resume().then(() => { if (!until.aborted) ring(); }, () => undefined);
  const timer = setInterval(ring, EVERY_MS);
  until.addEventListener('abort', () => {
    clearInterval(timer);
    void context.close();
  }, { once: true });
}
