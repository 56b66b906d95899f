// The only way for one page's media: UDP and TCP through a port of our own, which lets either pass or, like a firewall, not.
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { until } from './until.mjs';

const LOOPBACK = '127.0.0.1';

export class Relay {
  static async open() {
    return until('a port that is free for UDP and TCP', async () => {
      const relay = new Relay();
      try {
        await bound(relay.#front, 0);
        await listening(relay.#listener, relay.port);
        return relay;
      } catch {
        relay.close();
        return null;
      }
    });
  }

  /** Packets that pages have sent here by UDP, whether they passed or not. */
  heard = 0;
  #passes = { udp: true, tcp: true };
  /** How much later the server's packets get to pages, ms. */
  #lagMs = 0;
  #front = createSocket('udp4');
  #listener = createServer();
  #connections = new Set();
  /** By client and server port: the socket that stands in for that client there. */
  #backs = new Map();
  #target = null;

  constructor() {
    this.#front.on('message', (packet, from) => {
      this.heard += 1;
      if (!this.#passes.udp || this.#target === null) return;
      this.#backTo(this.#target, from).send(packet, this.#target, LOOPBACK);
    });
    this.#listener.on('connection', (client) => {
      if (!this.#passes.tcp || this.#target === null) client.destroy();
      else this.#join(client, connect(this.#target, LOOPBACK));
    });
  }

  get port() {
    return this.#front.address().port;
  }

  /** What passes from now on. TCP that does not is cut. */
  let({ udp = this.#passes.udp, tcp = this.#passes.tcp }) {
    this.#passes = { udp, tcp };
    if (!tcp) for (const connection of this.#connections) connection.destroy();
  }

  /** From now on the server's packets take so much longer, ms. */
  lag(ms) {
    this.#lagMs = ms;
  }

  /** The server's message as the page must hear it: the candidates of an answer lead here. For `betweenPageAndServer`. */
  redirect = (message) => {
    if (message.type !== 'answer') return message;
    const sdp = message.sdp.replace(/^(a=candidate:\S+ \d+ (?:udp|tcp) \d+ )\S+ (\d+)/gim, (_, head, port) => {
      this.#target = Number(port);
      return `${head}${LOOPBACK} ${this.port}`;
    });
    return { ...message, sdp };
  };

  close() {
    this.let({ udp: false, tcp: false });
    this.#front.close();
    this.#listener.close();
    for (const back of this.#backs.values()) back.close();
  }

  #join(client, server) {
    for (const [one, other] of [[client, server], [server, client]]) {
      this.#connections.add(one);
      one.setNoDelay(true);
      one.pipe(other);
      one.on('error', () => undefined);
      one.on('close', () => {
        this.#connections.delete(one);
        other.destroy();
      });
    }
  }

  #backTo(target, { address, port }) {
    const name = `${port} ${target}`;
    const known = this.#backs.get(name);
    if (known) return known;
    const back = createSocket('udp4');
    back.on('message', (packet) => {
      const send = () => { if (this.#passes.udp) this.#front.send(packet, port, address); };
      if (this.#lagMs > 0) setTimeout(send, this.#lagMs);
      else send();
    });
    this.#backs.set(name, back);
    return back;
  }
}

const bound = (socket, port) => new Promise((resolve, reject) => socket.once('error', reject).bind(port, LOOPBACK, resolve));
const listening = (server, port) => new Promise((resolve, reject) => server.once('error', reject).listen(port, LOOPBACK, resolve));
