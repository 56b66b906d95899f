// Somebody who speaks the signaling protocol without a page: one WebSocket, requests with their answers, and what else the server says.
import WebSocket from 'ws';

const ANSWER_LIMIT_MS = 10_000;
const PING_EVERY_MS = 10_000;

export class SocketClient {
  #socket;
  #next = 1;
  #waiting = new Map();
  #pings;

  /** `heard` is told every message that answers nothing. `token`: of an account; without one it is a guest. */
  static async open(url, heard, token = null) {
    const client = new SocketClient();
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`);
    client.#socket = socket;
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const welcomed = new Promise((resolve, reject) => {
      socket.on('message', (text) => {
        const message = JSON.parse(String(text));
        const waiting = client.#waiting.get(message.id);
        if (waiting) {
          client.#waiting.delete(message.id);
          waiting(message);
        } else if (message.type === 'welcome') {
          resolve(message);
        } else if (message.type === 'error') {
          reject(new Error(`${message.code}: ${message.message}`));
        } else {
          heard(message);
        }
      });
      socket.once('close', (code) => reject(new Error(`the server has closed with ${code}`)));
    });
    // Whoever waits for no welcome any more is told of a close by its next request.
    welcomed.catch(() => undefined);
    client.tell({ type: 'hello', protocol: 1, client: 'bench/1', ...(token ? { token } : {}) });
    client.welcome = await welcomed;
    client.#pings = setInterval(() => void client.request('ping', { client_time_ms: performance.now() }).catch(() => undefined), PING_EVERY_MS);
    return client;
  }

  tell(message) {
    this.#socket.send(JSON.stringify(message));
  }

  /** The answer; rejects with the server's code. */
  async request(type, fields = {}) {
    const id = this.#next++;
    const answered = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`${type} was not answered`));
      }, ANSWER_LIMIT_MS);
      this.#waiting.set(id, (message) => {
        clearTimeout(timer);
        if (message.type === 'error') reject(new Error(`${type}: ${message.code}, ${message.message}`));
        else resolve(message);
      });
    });
    this.tell({ type, id, ...fields });
    return answered;
  }

  close() {
    clearInterval(this.#pings);
    this.#socket.close(1000);
  }
}
