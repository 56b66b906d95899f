// Small hooks that tie time and listeners to a component's life.
import { useEffect, useRef, useState } from 'preact/hooks';

/** Runs `setUp` with a signal that aborts when the component leaves or a dependency changes. */
export function useScope(setUp: (until: AbortSignal) => void, dependencies: readonly unknown[]): void {
  useEffect(() => {
    const controller = new AbortController();
    setUp(controller.signal);
    return () => controller.abort();
  }, dependencies);
}

/** Draws the component again every `periodMs` while the page is visible; the time it was last drawn, ms since the epoch. */
export function useTick(periodMs: number, on = true): number {
  const [now, setNow] = useState(() => Date.now());
  useScope((until) => {
    if (!on) return;
    const tick = () => { if (!document.hidden) setNow(Date.now()); };
    const timer = setInterval(tick, periodMs);
    until.addEventListener('abort', () => clearInterval(timer));
    document.addEventListener('visibilitychange', tick, { signal: until });
  }, [periodMs, on]);
  return now;
}

/** `value`, followed at most once a second; a change between a value and none shows at once. */
export function useEverySecond(value: number | null): number | null {
  const latest = useRef(value);
  latest.current = value;
  const [shown, setShown] = useState(value);
  const present = value !== null;
  useScope((until) => {
    setShown(latest.current);
    const timer = setInterval(() => setShown(latest.current), 1000);
    until.addEventListener('abort', () => clearInterval(timer));
  }, [present]);
  return present ? shown : null;
}

/** Whether a media query holds now. */
export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useScope((until) => {
    const list = matchMedia(query);
    setMatches(list.matches);
    list.addEventListener('change', () => setMatches(list.matches), { signal: until });
  }, [query]);
  return matches;
}

/** Whether someone can see this page. */
export function usePageVisible(): boolean {
  const [visible, setVisible] = useState(() => !document.hidden);
  useScope((until) => {
    document.addEventListener('visibilitychange', () => setVisible(!document.hidden), { signal: until });
  }, []);
  return visible;
}
