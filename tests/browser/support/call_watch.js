// Put into pages of a call that are measured: notes every picture of the match that was shown, when faces first showed, and when a voice is
// heard. Needs `barcode.js`. Leaves `globalThis.callWatch`.
(() => {
  const wall = (ms) => performance.timeOrigin + ms;
  const shown = [];
  const KEPT = 3_000;

  globalThis.followFront((video, now, frame) => {
    const counter = globalThis.barcode.read(video);
    if (counter === null) return;
    shown.push({ at: wall(frame.expectedDisplayTime), counter });
    if (shown.length > KEPT) shown.shift();
  });

  /** Resolves with the wall clock when the first face of somebody else shows a picture. */
  const firstFace = () => new Promise((resolve) => {
    const look = () => {
      for (const face of document.querySelectorAll('[data-member]:not([aria-label^="You"]) video')) {
        if (face.dataset.followed) continue;
        face.dataset.followed = 'yes';
        face.requestVideoFrameCallback((now) => resolve(wall(now)));
      }
    };
    const timer = setInterval(look, 10);
    setTimeout(() => clearInterval(timer), 20_000);
  });

  /** Resolves with the wall clock when sound of another member first came out of the jitter buffer. */
  const firstVoice = () => new Promise((resolve) => {
    const look = async () => {
      for (const connection of globalThis.connections) {
        if (connection.connectionState === 'closed') continue;
        const voices = new Set([...document.querySelectorAll('audio[data-voice]')].map((voice) => voice.srcObject?.getAudioTracks()[0]?.id));
        for (const entry of (await connection.getStats()).values()) {
          if (entry.type !== 'inbound-rtp' || entry.kind !== 'audio' || !voices.has(entry.trackIdentifier)) continue;
          if (entry.totalSamplesReceived - (entry.concealedSamples ?? 0) > 0) {
            resolve(wall(performance.now()));
            return;
          }
        }
      }
      setTimeout(look, 10);
    };
    void look();
  });

  /** Listens to a member's voice; resolves with the wall clock when it is next loud. */
  const heard = (member) => new Promise((resolve, reject) => {
    const voice = document.querySelector(`audio[data-voice="${member}"]`);
    if (!voice?.srcObject) {
      reject(new Error('no such voice'));
      return;
    }
    const context = new AudioContext({ latencyHint: 'interactive' });
    const source = context.createMediaStreamSource(voice.srcObject);
    const analyser = context.createAnalyser();
    analyser.fftSize = 256;
    source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      if (samples.every((sample) => Math.abs(sample) < 0.05)) return;
      clearInterval(timer);
      void context.close();
      resolve(wall(performance.now()));
    }, 2);
    setTimeout(() => {
      clearInterval(timer);
      reject(new Error('it was not heard'));
    }, 10_000);
  });

  /** The longest time that one picture of the match stood, since `from`, ms. */
  const longestStill = (from) => {
    const since = shown.filter(({ at }) => at >= from);
    return since.slice(1).reduce((most, { at }, index) => Math.max(most, at - since[index].at), 0);
  };

  globalThis.callWatch = { shown, firstFace, firstVoice, heard, longestStill };
})();
