// A steady beat that goes on in hidden tabs, where page timers are slowed to once a second or less; a worker's are not.

/** Calls `tick` about every `periodMs` until `signal` aborts. */
export function every(periodMs: number, tick: () => void, signal: AbortSignal): void {
  if (signal.aborted) return;
  if (typeof Worker === 'undefined') {
    const timer = setInterval(tick, periodMs);
    signal.addEventListener('abort', () => clearInterval(timer), { once: true });
    return;
  }
  const worker = new Worker(new URL('./worker_timer.worker.ts', import.meta.url), { type: 'module' });
  worker.addEventListener('message', tick, { signal });
  worker.postMessage(periodMs);
  signal.addEventListener('abort', () => worker.terminate(), { once: true });
}
