// The only way for one page's media: UDP through a port of our own, which lets everything pass or, like a firewall, nothing.
import { createSocket } from 'node:dgram';

const LOOPBACK = '127.0.0.1';

export class Relay {
  static async open() {
    const relay = new Relay();
    await bound(relay.#front, 0);
    return relay;
  }

  passes = true;
  /** Packets that pages have sent here, whether they passed or not. */
  heard = 0;
  #front = createSocket('udp4');
  /** By client and server port: the socket that stands in for that client there. */
  #backs = new Map();
  #target = null;

  constructor() {
    this.#front.on('message', (packet, from) => {
      this.heard += 1;
      if (!this.passes || this.#target === null) return;
      this.#backTo(this.#target, from).send(packet, this.#target, LOOPBACK);
    });
  }

  get port() {
    return this.#front.address().port;
  }

  /** The server's message as the page must hear it: the candidates of an answer lead here. For `betweenPageAndServer`. */
  redirect = (message) => {
    if (message.type !== 'answer') return message;
    const sdp = message.sdp.replace(/^(a=candidate:\S+ \d+ udp \d+ \S+ )(\d+)/gim, (_, head, port) => {
      this.#target = Number(port);
      return head + this.port;
    });
    return { ...message, sdp };
  };

  close() {
    this.#front.close();
    for (const back of this.#backs.values()) back.close();
  }

  #backTo(target, { address, port }) {
    const name = `${port} ${target}`;
    const known = this.#backs.get(name);
    if (known) return known;
    const back = createSocket('udp4');
    back.on('message', (packet) => {
      if (this.passes) this.#front.send(packet, port, address);
    });
    this.#backs.set(name, back);
    return back;
  }
}

const bound = (socket, port) => new Promise((resolve, reject) => socket.once('error', reject).bind(port, LOOPBACK, resolve));
