// Full screen for an element, with the iPhone's way (the video alone) where elements cannot.
import { useState } from 'preact/hooks';
import { useScope } from '../ui/hooks';

type AppleVideo = HTMLVideoElement & { webkitEnterFullscreen?: () => void };
type LockableOrientation = ScreenOrientation & { lock?: (orientation: 'landscape') => Promise<void> };

/** Whether something of this page fills the screen. */
export function useFullScreen(): boolean {
  const [on, setOn] = useState(() => document.fullscreenElement !== null);
  useScope((until) => {
    document.addEventListener('fullscreenchange', () => setOn(document.fullscreenElement !== null), { signal: until });
  }, []);
  return on;
}

export async function toggleFullScreen(element: HTMLElement | null, video: HTMLVideoElement | null): Promise<void> {
  if (document.fullscreenElement) {
    await document.exitFullscreen();
    return;
  }
  if (element?.requestFullscreen) {
    try {
      await element.requestFullscreen({ navigationUI: 'hide' });
      // Phones only; elsewhere it is refused and nothing is lost.
      await (screen.orientation as LockableOrientation | undefined)?.lock?.('landscape').catch(() => undefined);
    } catch {
      // Refused (an embedding page forbids it): the picture stays where it is.
    }
    return;
  }
  (video as AppleVideo | null)?.webkitEnterFullscreen?.();
}
