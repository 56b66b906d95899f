// A watching session tied to a component's life.
import { useEffect, useMemo } from 'preact/hooks';
import { WatchSession } from '../playback/session';

/** Opens a session for `broadcast` (slug or id); it ends when the component leaves or another one is asked for. */
export function useWatch(broadcast: string, token: string | undefined): WatchSession {
  const held = useMemo(() => {
    const controller = new AbortController();
    return { controller, session: new WatchSession({ broadcast, token, lifetime: controller.signal }) };
  }, [broadcast, token]);
  useEffect(() => () => held.controller.abort(), [held]);
  return held.session;
}
