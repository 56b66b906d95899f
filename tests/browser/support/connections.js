// Put into every page: keeps hold of the peer connections it makes, so that tests can ask for their statistics.
globalThis.connections = [];
globalThis.RTCPeerConnection = class extends globalThis.RTCPeerConnection {
  constructor(...options) {
    super(...options);
    globalThis.connections.push(this);
  }
};
