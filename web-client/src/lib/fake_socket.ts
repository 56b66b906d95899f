// For tests: the server's end of a signaling connection, spoken by hand.
import type { ClientMessage, ServerMessage } from '../protocol';

export class FakeSocket extends EventTarget {
  readonly sent: ClientMessage[] = [];
  closed = false;
  /** With which it was closed. */
  code: number | undefined;
  /** Whether pings are answered, as by a connection that lasts. */
  lasts = false;
  send(text: string): void {
    const message = JSON.parse(text) as ClientMessage;
    this.sent.push(message);
    if (this.lasts && message.type === 'ping') this.say({ type: 'pong', id: message.id, client_time_ms: message.client_time_ms, server_time_ms: 1_700_000_000_000 });
  }
  close(code?: number): void {
    this.closed = true;
    this.code = code;
  }
  open(): void {
    this.dispatchEvent(new Event('open'));
  }
  lose(): void {
    this.dispatchEvent(new Event('close'));
  }
  say(message: ServerMessage): void {
    this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(message) }));
  }
  welcome(resumed = false): void {
    this.open();
    this.say({
      type: 'welcome', protocol: 1, server: 'test', session: 's', resume: 'again', resume_window_ms: 30_000, resumed,
      user: { id: 'u', name: 'Guest', guest: true }, token: 'identity', server_time_ms: 1_700_000_000_000, ice_servers: [],
      ping_interval_ms: 10_000,
    });
  }
}

/** Opens sockets that last, and keeps them in `sockets`. */
export function opener(sockets: FakeSocket[]): () => WebSocket {
  return () => {
    const socket = new FakeSocket();
    socket.lasts = true;
    sockets.push(socket);
    return socket as unknown as WebSocket;
  };
}
