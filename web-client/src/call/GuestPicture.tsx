// Whoever is on air beside the main picture, as the broadcaster has laid it out, with their sound.
import './guest.css';
import { useEffect, useRef } from 'preact/hooks';
import type { WatchSession } from '../playback/session';
import type { GuestView } from '../protocol';
import { useScope } from '../ui/hooks';
import { followDrawn } from '../watch/drawn';
import type { Playback } from '../watch/playback';
import { callWords } from '../call_words';
import { useStream } from './use_stream';

export type GuestPictureProps = { session: WatchSession; playback: Playback; guest: GuestView };

export function GuestPicture({ session, playback, guest }: GuestPictureProps) {
  const video = useRef<HTMLVideoElement>(null);
  const { viewer } = session;
  const isMe = session.user.value?.id === guest.user;
  const silent = isMe || playback.muted.value || playback.silenced.value;
  const volume = playback.volume.value * playback.lowered.value;
  const paused = playback.paused.value;
  useStream(video, viewer.guest);
  useScope((until) => {
    const element = video.current;
    if (!element) return;
    followDrawn(element, guest.layout === 'inset' ? 'cover' : 'contain', (lines) => viewer.guestDrawn(lines), until);
    until.addEventListener('abort', () => viewer.guestDrawn(0), { once: true });
  }, [viewer, guest.layout]);
  useEffect(() => {
    const element = video.current;
    if (!element) return;
    element.muted = silent;
    element.volume = volume;
    if (paused) element.pause();
    // Where sound needs a press, the main picture asks for it, and its answer serves both.
    else element.play().catch(() => undefined);
  }, [silent, volume, paused]);
  return (
    <figure class={`guest-picture ${guest.layout}`} aria-label={callWords.air.guest(guest.name)}>
      <video ref={video} playsInline autoplay muted={silent} aria-label={callWords.air.guest(guest.name)} />
      <figcaption><bdi>{guest.name}</bdi></figcaption>
    </figure>
  );
}
