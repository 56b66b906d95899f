// Put into pages whose reception is measured: notes each picture of the match that was shown, and reads what came of voices and faces. Needs
// `connections.js` and `barcode.js`. Leaves `globalThis.received`.
(() => {
  const shown = [];
  globalThis.followFront((video, now, { height }) => shown.push({ atMs: now, height }));

  /** Of every sound and every picture that is received, what has come so far. */
  const counts = async () => {
    const voices = new Set([...document.querySelectorAll('audio[data-voice]')].flatMap((voice) => voice.srcObject?.getAudioTracks().map(({ id }) => id) ?? []));
    const faces = new Set([...document.querySelectorAll('[data-member] video')].flatMap((face) => face.srcObject?.getVideoTracks().map(({ id }) => id) ?? []));
    const found = [];
    for (const connection of globalThis.connections) {
      if (connection.connectionState === 'closed') continue;
      for (const entry of (await connection.getStats()).values()) {
        if (entry.type !== 'inbound-rtp') continue;
        const of = entry.kind === 'audio' ? (voices.has(entry.trackIdentifier) ? 'voice' : 'match') : faces.has(entry.trackIdentifier) ? 'face' : 'match';
        found.push({
          key: entry.id, kind: entry.kind, of,
          bytes: entry.bytesReceived, lost: entry.packetsLost ?? 0, packets: entry.packetsReceived,
          samples: entry.totalSamplesReceived ?? 0,
          // Where nothing came there is nothing to hear either: silence that is made up is none that was lost.
          concealed: (entry.concealedSamples ?? 0) - (entry.silentConcealedSamples ?? 0),
          frames: entry.framesDecoded ?? 0, freezes: entry.freezeCount ?? 0,
        });
      }
    }
    return found;
  };

  globalThis.received = { shown, counts };
})();
