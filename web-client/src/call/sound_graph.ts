// The match's sound through Web Audio, for browsers that ignore an element's volume (iOS): the only way to lower it there.
//
// A remote stream is heard in Web Audio only while an element plays it too, so the WebRTC element goes on, muted (docs/calls.md). Elements
// can be given to a graph once in their life: the graph stays, and is given back with gains of one.
import type { Elements } from '../playback/session';
import type { EngineName } from '../playback/transport';
import type { SoundGraph } from '../watch/playback';

/** A gain changes over this long, s: less is heard as a click. */
const SMOOTH_S = 0.015;

/** Whether a browser leaves the volume of elements to its buttons. */
export function ignoresVolume(): boolean {
  const probe = document.createElement('video');
  probe.volume = 0.5;
  return probe.volume !== 0.5;
}

const graphs = new WeakMap<HTMLVideoElement, SoundGraph>();

export function graphOf(elements: Elements): SoundGraph {
  const known = graphs.get(elements.hls);
  if (known) return known;
  const context = new AudioContext();
  // Asleep until the first press; whoever is in a call has pressed something.
  void context.resume();
  const gains: Record<EngineName, GainNode> = { webrtc: context.createGain(), hls: context.createGain() };
  context.createMediaElementSource(elements.hls).connect(gains.hls).connect(context.destination);
  gains.webrtc.connect(context.destination);
  let source: MediaStreamAudioSourceNode | null = null;
  let track: MediaStreamTrack | null = null;
  const follow = (): void => {
    const stream = elements.webrtc.srcObject;
    const now = stream instanceof MediaStream ? (stream.getAudioTracks()[0] ?? null) : null;
    if (now === track) return;
    source?.disconnect();
    track = now;
    source = now && context.createMediaStreamSource(new MediaStream([now]));
    source?.connect(gains.webrtc);
  };
  const graph: SoundGraph = {
    set: (engine, gain) => {
      // Another transport has another track.
      follow();
      if (context.state === 'suspended') void context.resume();
      gains[engine].gain.setTargetAtTime(gain, context.currentTime, SMOOTH_S);
    },
  };
  graphs.set(elements.hls, graph);
  return graph;
}
