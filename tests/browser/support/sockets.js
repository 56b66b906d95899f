// Put into a page: keeps hold of its signaling connections, and of the types of what is said to each.
globalThis.sockets = [];
globalThis.WebSocket = class extends globalThis.WebSocket {
  constructor(...options) {
    super(...options);
    const socket = { socket: this, heard: [] };
    this.addEventListener('message', ({ data }) => socket.heard.push(JSON.parse(data).type));
    globalThis.sockets.push(socket);
  }
};
