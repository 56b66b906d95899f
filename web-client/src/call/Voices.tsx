// Plays the voices of friends: an element for each sound that is received, for as long as it is, whoever it carries. Elements, and not Web Audio
// alone, because what browsers cancel out of a microphone is what their elements play.
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Call } from './call';
import type { Voice } from './call_media';

export function Voices({ call }: { call: Call }) {
  return <div hidden>{call.media.voices.value.map((voice) => <OneVoice key={voice.mid} call={call} voice={voice} />)}</div>;
}

function OneVoice({ call, voice }: { call: Call; voice: Voice }) {
  const audio = useRef<HTMLAudioElement>(null);
  const user = call.view.value?.members.find(({ id }) => id === voice.member)?.user;
  const volume = user === undefined ? 0 : call.volumeOf(user);
  useLayoutEffect(() => {
    if (!audio.current) return;
    audio.current.srcObject = voice.stream;
    // Whoever is in a call has pressed something: browsers play sound then. Where one does not, the next voice tries again.
    audio.current.play().catch(() => undefined);
  }, [voice.stream]);
  useEffect(() => {
    const element = audio.current;
    if (!element) return;
    element.volume = volume;
    // For browsers that leave the volume to their buttons.
    element.muted = volume === 0;
    if (element.paused) element.play().catch(() => undefined);
  }, [volume, voice.member]);
  return <audio ref={audio} autoplay data-voice={voice.member ?? undefined} />;
}
