// A viewer's session tied to a component's life.
import { useEffect, useMemo } from 'preact/hooks';
import { theConnections } from '../lib/connections';
import { ViewerSession } from '../lib/viewer';

export type Viewing = { token?: string | undefined; preview?: boolean };

/** Opens a session for `broadcast` (slug or id); it ends when the component leaves or another one is asked for. */
export function useViewer(broadcast: string, { token, preview = false }: Viewing = {}): ViewerSession {
  const held = useMemo(() => {
    const controller = new AbortController();
    return { controller, session: new ViewerSession({ broadcast, token, preview, connection: theConnections().toJoin(), lifetime: controller.signal }) };
  }, [broadcast, token, preview]);
  useEffect(() => () => held.controller.abort(), [held]);
  return held.session;
}
