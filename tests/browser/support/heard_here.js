// Put into pages whose own sound is measured: takes what the tab plays, after every volume, as it goes to the speakers. The browser must be one
// that `launchChromium({ capturesTab: true })` started. Put before `camera.js`, which replaces what this takes. Leaves `globalThis.heardHere`.
(() => {
  if (!navigator.mediaDevices) return;
  const capture = navigator.mediaDevices.getDisplayMedia.bind(navigator.mediaDevices);
  /** Levels are of so much sound, once in so often, s: short beside a slope of 80 ms, long enough to tell tones of 400 and 1000 Hz apart. */
  const WINDOW_S = 0.012;
  const HOP_S = 0.0025;
  /** What comes is kept until it is asked for, and this many pieces of 10 ms at most. */
  const KEPT = 3_000;
  const pieces = [];
  let rate = 0;

  /** Browsers want a press for it; what a test evaluates counts as one. */
  const open = async () => {
    const stream = await capture({ video: true, audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false }, preferCurrentTab: true, selfBrowserSurface: 'include' });
    const [track] = stream.getAudioTracks();
    for (const picture of stream.getVideoTracks()) picture.enabled = false;
    const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 400 }).readable.getReader();
    const read = async () => {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        rate = value.sampleRate;
        const samples = new Float32Array(value.numberOfFrames);
        value.copyTo(samples, { planeIndex: 0, format: 'f32-planar' });
        pieces.push({ atS: value.timestamp / 1e6, samples });
        value.close();
        if (pieces.length > KEPT) pieces.shift();
      }
    };
    void read();
    return track.label;
  };

  const forget = () => { pieces.length = 0; };

  /** Of each tone (Hz) its level over time, dB: `{ atMs, db: [..] }`, and how much sound was missing between the pieces, ms. */
  const levels = (tones) => {
    const samples = new Float32Array(pieces.reduce((sum, piece) => sum + piece.samples.length, 0));
    let at = 0;
    let missingMs = 0;
    for (const [index, piece] of pieces.entries()) {
      const before = pieces[index - 1];
      if (before) missingMs += Math.max(0, (piece.atS - before.atS) * 1_000 - (before.samples.length / rate) * 1_000 - 1);
      samples.set(piece.samples, at);
      at += piece.samples.length;
    }
    const length = Math.round(WINDOW_S * rate);
    const shape = Float32Array.from({ length }, (_, index) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (index + 0.5)) / length));
    const found = [];
    for (let start = 0; start + length <= samples.length; start += HOP_S * rate) {
      const from = Math.round(start);
      found.push({
        atMs: ((from + length / 2) / rate) * 1_000,
        db: tones.map((tone) => {
          let [real, imaginary] = [0, 0];
          for (let index = 0; index < length; index++) {
            const turn = (2 * Math.PI * tone * index) / rate;
            const value = samples[from + index] * shape[index];
            real += value * Math.cos(turn);
            imaginary += value * Math.sin(turn);
          }
          return 20 * Math.log10(Math.max(1e-6, (4 * Math.hypot(real, imaginary)) / length));
        }),
      });
    }
    return { found, missingMs };
  };

  globalThis.heardHere = { open, forget, levels };
})();
