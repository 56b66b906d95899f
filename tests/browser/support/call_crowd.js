// Put into a page of the server that does nothing: many members of one call at once, each with a connection of its own that sends a face and a voice and
// receives nothing. All faces are one drawing and all voices tones, so that the page has time for as many encoders. Leaves `globalThis.callCrowd`.
(() => {
  const ANSWER_LIMIT_MS = 15_000;
  const PING_EVERY_MS = 10_000;
  const members = [];
  const sockets = [];

  const openFace = ({ width, height, rate }) => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext('2d', { alpha: false });
    let count = 0;
    setInterval(() => {
      // Much of it changes: a face costs what its encoder may spend.
      count += 1;
      for (let square = 0; square < 24; square++) {
        context.fillStyle = `hsl(${(count * 7 + square * 41) % 360} 60% ${30 + ((square * 13 + count) % 40)}%)`;
        context.fillRect(((square * 97 + count * 5) % width), ((square * 53 + count * 3) % height), width / 5, height / 5);
      }
    }, 1_000 / rate);
    return canvas.captureStream(rate).getVideoTracks()[0];
  };

  const openVoice = (context, hz) => {
    const [tone, loudness, out] = [context.createOscillator(), context.createGain(), context.createMediaStreamDestination()];
    tone.frequency.value = hz;
    loudness.gain.value = 0.05;
    tone.connect(loudness).connect(out);
    tone.start();
    return out.stream.getAudioTracks()[0];
  };

  const conversation = async () => {
    const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/v1/ws`);
    const waiting = new Map();
    let next = 1;
    const welcomed = new Promise((resolve, reject) => {
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.type === 'welcome') resolve(message);
        const settle = waiting.get(message.id);
        waiting.delete(message.id);
        settle?.(message);
      };
      socket.onclose = ({ code }) => reject(new Error(`the server has closed with ${code}`));
    });
    welcomed.catch(() => undefined);
    await Promise.race([welcomed, new Promise((resolve) => { socket.onopen = resolve; })]);
    const request = (type, fields) => new Promise((resolve, reject) => {
      const id = next++;
      const timer = setTimeout(() => reject(new Error(`${type} was not answered`)), ANSWER_LIMIT_MS);
      waiting.set(id, (message) => {
        clearTimeout(timer);
        if (message.type === 'error') reject(new Error(`${type}: ${message.code}, ${message.message}`));
        else resolve(message);
      });
      socket.send(JSON.stringify({ type, id, ...fields }));
    });
    socket.send(JSON.stringify({ type: 'hello', protocol: 1, client: 'crowd/1' }));
    await welcomed;
    setInterval(() => void request('ping', { client_time_ms: performance.now() }).catch(() => undefined), PING_EVERY_MS);
    // Kept: what nobody holds is taken away, and its answers with it.
    sockets.push(socket);
    return request;
  };

  /** So many members come in one after the other, each seen by the server. `encodings`: of each face, smallest first. */
  const enter = async ({ broadcast, call, invitation, count, face, encodings }) => {
    const picture = openFace(face);
    const sound = new AudioContext();
    for (let number = 0; number < count; number++) {
      const request = await conversation();
      await request('join', { broadcast });
      await request('call', { ask: { ask: 'join', call, invitation } });
      await request('call', { ask: { ask: 'present', microphone: true, camera: true, screen: false } });
      const connection = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
      connection.addTransceiver(picture.clone(), { direction: 'sendonly', sendEncodings: encodings });
      connection.addTransceiver(openVoice(sound, 300 + 40 * number), { direction: 'sendonly', sendEncodings: [{ maxBitrate: 40_000 }] });
      await connection.setLocalDescription(await connection.createOffer());
      const { sdp } = await request('offer', { intent: 'view', sdp: connection.localDescription.sdp });
      await connection.setRemoteDescription({ type: 'answer', sdp });
      members.push(connection);
    }
  };

  /** What all of them send by now: bits per second of faces and of voices since the last time, and pictures a second of the slowest. */
  let before = null;
  const sending = async () => {
    const now = { atMs: performance.now(), video: 0, audio: 0, frames: [] };
    for (const [index, connection] of members.entries()) {
      now.frames[index] = 0;
      for (const entry of (await connection.getStats()).values()) {
        if (entry.type !== 'outbound-rtp') continue;
        now[entry.kind] += entry.bytesSent;
        if (entry.kind === 'video') now.frames[index] = Math.max(now.frames[index], entry.framesEncoded ?? 0);
      }
    }
    const since = before;
    before = now;
    if (!since) return null;
    const seconds = (now.atMs - since.atMs) / 1_000;
    return {
      videoBps: ((now.video - since.video) * 8) / seconds,
      audioBps: ((now.audio - since.audio) * 8) / seconds,
      leastFps: Math.min(...now.frames.map((frames, index) => (frames - (since.frames[index] ?? 0)) / seconds)),
    };
  };

  globalThis.callCrowd = { enter, sending };
})();
