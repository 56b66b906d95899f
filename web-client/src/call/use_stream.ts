// A stream on an element for as long as both are there. Where it comes and goes the element keeps playing what it has.
import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

export function useStream(element: RefObject<HTMLVideoElement | null>, stream: MediaStream | null): void {
  useLayoutEffect(() => {
    const video = element.current;
    if (!video || video.srcObject === stream) return;
    video.srcObject = stream;
    // Muted, so every browser allows it; one that does not shows the first frame.
    if (stream) video.play().catch(() => undefined);
  }, [stream]);
}
