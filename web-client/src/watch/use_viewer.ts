// A viewer's session tied to a component's life.
import { useEffect, useMemo } from 'preact/hooks';
import { signalingUrl } from '../lib/signaling';
import { ViewerSession } from '../lib/viewer';

/** Opens a session for `broadcast` (slug or id); it ends when the component leaves or another one is asked for. */
export function useViewer(broadcast: string, token?: string): ViewerSession {
  const held = useMemo(() => {
    const controller = new AbortController();
    return { controller, session: new ViewerSession({ broadcast, token, url: signalingUrl(location.href), lifetime: controller.signal }) };
  }, [broadcast, token]);
  useEffect(() => () => held.controller.abort(), [held]);
  return held.session;
}
