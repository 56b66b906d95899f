// The link relay between browsers and a server of our own: real processes, real UDP, a bad network on purpose.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { binary, freeUdpPorts, WORKERS } from './server.mjs';
import { until } from './until.mjs';

export class Linksim {
  #child;
  #exited;
  #lines = [];

  /** Ports for the relay: hand `--advertise` to the server with them, start the server, then the relay. */
  static async ports() {
    return freeUdpPorts();
  }

  /** `options`: further command line arguments of `courtside-linksim`, such as `['--down', 'rate=3M latency=20ms']`. */
  static async start(server, port, options = []) {
    const relay = new Linksim();
    const path = join(dirname(binary()), 'courtside-linksim');
    if (!existsSync(path)) throw new Error(`there is no relay at ${path}: run cargo build`);
    relay.#child = spawn(path, ['--listen', `127.0.0.1:${port}`, '--to', `127.0.0.1:${server.mediaPort}`, '--ports', String(WORKERS), '--json', ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
    relay.#exited = new Promise((resolve) => relay.#child.once('exit', (code, signal) => resolve(signal ?? code)));
    let ready = false;
    createInterface({ input: relay.#child.stderr }).on('line', (line) => { ready ||= line.startsWith('relaying'); });
    createInterface({ input: relay.#child.stdout }).on('line', (line) => relay.#lines.push(JSON.parse(line)));
    await until('the relay to listen', async () => {
      if (relay.#child.exitCode !== null) throw new Error(`the relay ended with ${relay.#child.exitCode}`);
      return ready;
    });
    return relay;
  }

  /** Its counts now. */
  async counts() {
    const before = this.#lines.length;
    this.#child.kill('SIGUSR1');
    return until('the relay to count', async () => this.#lines[before]);
  }

  async stop() {
    this.#child.kill('SIGTERM');
    await this.#exited;
    return this.#lines.at(-1);
  }
}
