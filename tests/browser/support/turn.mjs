// A TURN server of our own: coturn on private loopback ports, with the secret that the server hands out credentials by. Never a service.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freeUdpPorts } from './server.mjs';
import { until } from './until.mjs';

const LOG_TAIL = 40;

export class Turn {
  static async start(secret) {
    const turn = new Turn();
    turn.port = await freeUdpPorts();
    turn.#child = spawn(process.env.TURNSERVER ?? 'turnserver', [
      // As docs/operations.md says ...
      '--use-auth-secret', `--static-auth-secret=${secret}`, '--realm=courtside', '--fingerprint', '--no-cli', '--no-tls', '--no-dtls', '--no-rfc5780',
      // ... and all of it on loopback, which coturn relays to only when told to.
      '-n', '--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1', `--listening-port=${turn.port}`, '--allow-loopback-peers',
      `--pidfile=${join(turn.#dir, 'pid')}`, `--userdb=${join(turn.#dir, 'db')}`, '--log-file=stdout', '--simple-log', '--verbose',
    ], { stdio: ['ignore', 'pipe', 'pipe'] });
    turn.#exited = new Promise((resolve) => {
      turn.#child.once('exit', (code, signal) => resolve(signal ?? code));
      turn.#child.once('error', (error) => resolve(error.message));
    });
    for (const input of [turn.#child.stdout, turn.#child.stderr]) createInterface({ input }).on('line', (line) => turn.#hear(line));
    let ended = null;
    void turn.#exited.then((how) => { ended = how; });
    await until('coturn to listen', async () => {
      if (ended !== null) throw new Error(`coturn ended with ${ended} (is the package installed?):\n${turn.logTail}`);
      return turn.#listens;
    });
    return turn;
  }

  port = 0;
  #child;
  #exited;
  #listens = false;
  #log = [];
  #dir = mkdtempSync(join(tmpdir(), 'courtside-turn-'));

  get logTail() {
    return this.#log.join('\n');
  }

  async stop() {
    this.#child.kill('SIGTERM');
    await this.#exited;
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #hear(line) {
    this.#listens ||= /UDP listener opened on/.test(line);
    this.#log.push(line);
    if (this.#log.length > LOG_TAIL) this.#log.shift();
  }
}
