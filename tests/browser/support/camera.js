// Put into publishing pages: the "camera" is a pitch drawn on a canvas with the clock barcode in it, the microphone stays the browser's fake
// one, and the "screen" is a picture of another shape. Reads its wishes from `globalThis.cameraWishes`: { width, height, rate, codec,
// scalabilityMode, silent, grain, tint, voice, screen: { width, height } }. `tint` is the colour of the pitch, by which a face is known. `voice` makes the
// microphone a tone of so many Hz, which `globalThis.speak(true)` switches on: silent before. `grain` (0 to 1) is noise that makes the encoder use the bit rate it may, as a
// real camera does. Needs `barcode.js`.
(() => {
  const wishes = { width: 640, height: 360, rate: 30, codec: null, silent: false, grain: 0, tint: '#2f6b3c', voice: 0, screen: { width: 960, height: 720 }, ...globalThis.cameraWishes };
  if (!navigator.mediaDevices) return;
  const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);

  const grainTile = () => {
    const tile = document.createElement('canvas');
    tile.width = tile.height = 256;
    const image = new ImageData(256, 256);
    for (let at = 0; at < image.data.length; at += 4) {
      image.data.fill(Math.random() * 256, at, at + 3);
      image.data[at + 3] = 255;
    }
    tile.getContext('2d').putImageData(image, 0, 0);
    return tile;
  };
  const grain = wishes.grain > 0 ? grainTile() : null;
  const addGrain = (context, width, height) => {
    context.globalAlpha = wishes.grain;
    const [left, top] = [Math.random() * -256, Math.random() * -256];
    for (let y = top; y < height; y += 256) for (let x = left; x < width; x += 256) context.drawImage(grain, x, y);
    context.globalAlpha = 1;
  };

  const paint = (context, width, height, now) => {
    context.fillStyle = wishes.tint;
    context.fillRect(0, 0, width, height);
    context.fillStyle = 'rgb(0 0 0 / 8%)';
    for (let stripe = 0; stripe < 8; stripe += 2) context.fillRect((width * stripe) / 8, 0, width / 8, height);
    context.strokeStyle = '#e8efe6';
    context.lineWidth = Math.max(2, width / 320);
    context.strokeRect(width * 0.04, height * 0.07, width * 0.92, height * 0.8);
    context.beginPath();
    context.moveTo(width / 2, height * 0.07);
    context.lineTo(width / 2, height * 0.87);
    context.stroke();
    context.beginPath();
    context.arc(width / 2, height * 0.47, height * 0.15, 0, 7);
    context.stroke();
    for (let player = 0; player < 14; player++) {
      const angle = now / (2_000 + 170 * player) + player;
      context.fillStyle = player % 2 ? '#d5362c' : '#2f6fd0';
      context.beginPath();
      context.arc(width * (0.5 + 0.42 * Math.sin(angle + player * 2.4)), height * (0.47 + 0.34 * Math.cos(angle * 1.3)), height / 45, 0, 7);
      context.fill();
    }
    context.fillStyle = '#fff';
    context.beginPath();
    context.arc(width * (0.5 + 0.4 * Math.sin(now / 900)), height * (0.47 + 0.3 * Math.cos(now / 700)), height / 90, 0, 7);
    context.fill();
  };

  const openCanvas = ({ width, height }, label) => {
    const { rate } = wishes;
    const canvas = document.createElement('canvas');
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext('2d', { alpha: false });
    const next = () => {
      paint(context, width, height, performance.now());
      if (grain) addGrain(context, width, height);
      globalThis.barcode.draw(context, width, height, globalThis.barcode.clock());
    };
    next();
    const [track] = canvas.captureStream(rate).getVideoTracks();
    const timer = setInterval(next, 1_000 / rate);
    Object.defineProperty(track, 'label', { value: label });
    const stop = track.stop.bind(track);
    track.stop = () => {
      clearInterval(timer);
      stop();
    };
    return track;
  };

  /** A tone that begins and ends without a click. */
  const openVoice = () => {
    const context = new AudioContext();
    const [tone, loudness, out] = [context.createOscillator(), context.createGain(), context.createMediaStreamDestination()];
    tone.frequency.value = wishes.voice;
    loudness.gain.value = 0;
    tone.connect(loudness).connect(out);
    tone.start();
    const before = globalThis.speak;
    globalThis.speak = (on) => {
      before?.(on);
      loudness.gain.setTargetAtTime(on ? 0.4 : 0, context.currentTime, 0.002);
      return performance.timeOrigin + performance.now();
    };
    return out.stream.getAudioTracks();
  };

  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const tracks = [];
    if (constraints.audio && wishes.silent) throw new DOMException('no microphone', 'NotFoundError');
    if (constraints.video) {
      const track = openCanvas(wishes, 'Drawn camera');
      const settings = track.getSettings.bind(track);
      // The drawn camera goes by the name of the browser's own, so that lists of devices find it.
      const camera = (await navigator.mediaDevices.enumerateDevices()).find(({ kind }) => kind === 'videoinput');
      track.getSettings = () => ({ ...settings(), deviceId: camera?.deviceId });
      tracks.push(track);
    }
    if (constraints.audio) tracks.push(...(wishes.voice ? openVoice() : (await real({ audio: true })).getAudioTracks()));
    return new MediaStream(tracks);
  };

  navigator.mediaDevices.getDisplayMedia = async () => new MediaStream([openCanvas(wishes.screen, 'Drawn screen')]);

  if (wishes.scalabilityMode) {
    // An encoder that puts all sizes into one stream, whatever the page asks for.
    const { scalabilityMode } = wishes;
    const add = RTCPeerConnection.prototype.addTransceiver;
    RTCPeerConnection.prototype.addTransceiver = function addTransceiver(media, options) {
      const isPicture = media === 'video' || media?.kind === 'video';
      return add.call(this, media, isPicture ? { ...options, sendEncodings: [{ scalabilityMode }] } : options);
    };
    const set = RTCRtpSender.prototype.setParameters;
    RTCRtpSender.prototype.setParameters = function setParameters(parameters) {
      const encodings = parameters.encodings.map((encoding) => ({ ...encoding, scaleResolutionDownBy: 1, maxBitrate: 1_500_000, active: true }));
      return set.call(this, { ...parameters, encodings });
    };
  }

  if (wishes.codec) {
    // A browser that can encode nothing else.
    const all = RTCRtpSender.getCapabilities.bind(RTCRtpSender);
    const wanted = new RegExp(`/(${wishes.codec}|rtx)$`, 'i');
    RTCRtpSender.getCapabilities = (kind) => {
      const capabilities = all(kind);
      return kind === 'video' ? { ...capabilities, codecs: capabilities.codecs.filter(({ mimeType }) => wanted.test(mimeType)) } : capabilities;
    };
  }
})();
