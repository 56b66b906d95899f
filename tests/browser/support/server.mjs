// A server of our own for each test file: the real binary, free ports, a data directory that goes with it.
import { execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from './until.mjs';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
/** Screenshots, logs and what else a run leaves; ignored by git. */
export const OUT = fileURLToPath(new URL('../out', import.meta.url));
export const WORKERS = 2;
/** Between picking free ports and binding them somebody else may take them. */
const START_ATTEMPTS = 3;
const LOG_TAIL = 40;

const run = promisify(execFile);

export function binary() {
  const target = process.env.CARGO_TARGET_DIR ?? join(REPOSITORY, 'target');
  const path = process.env.COURTSIDE_BIN ?? join(target, 'debug', 'courtside');
  if (!existsSync(path)) throw new Error(`there is no server at ${path}: run cargo build, or set COURTSIDE_BIN`);
  return path;
}

export async function freeTcpPort() {
  const probe = createServer();
  await new Promise((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

const bindUdp = (port) => new Promise((resolve, reject) => {
  const socket = createSocket('udp4');
  socket.once('error', reject);
  socket.bind(port, '127.0.0.1', () => resolve(socket));
});

/** The first of `WORKERS` free UDP ports in a row. */
export async function freeUdpPorts() {
  return until('free UDP ports in a row', async () => {
    const first = await bindUdp(0);
    const sockets = [first];
    try {
      for (let next = 1; next < WORKERS; next++) sockets.push(await bindUdp(first.address().port + next));
      return first.address().port;
    } catch {
      return null;
    } finally {
      for (const socket of sockets) socket.close();
    }
  });
}

export class Server {
  /** `options`: further command line arguments of `courtside serve`. `host`: where it listens, as in a URL. */
  static async start(name, options = ['--open-publish'], host = '127.0.0.1') {
    const server = new Server(name, options, host);
    for (let attempt = 1; ; attempt++) {
      server.#ports = { http: await freeTcpPort(), media: await freeUdpPorts() };
      try {
        await server.startAgain();
        return server;
      } catch (thrown) {
        if (attempt === START_ATTEMPTS) {
          await server.remove();
          throw thrown;
        }
      }
    }
  }

  #options;
  #host;
  #ports;
  #child = null;
  #exited = null;
  #log = [];
  #logFile;

  constructor(name, options, host) {
    this.#options = options;
    this.#host = host;
    this.dataDir = mkdtempSync(join(tmpdir(), 'courtside-browser-'));
    mkdirSync(OUT, { recursive: true });
    this.#logFile = join(OUT, `server-${name}.log`);
    writeFileSync(this.#logFile, '');
  }

  get url() {
    return `http://${this.#host}:${this.#ports.http}`;
  }

  /** Its first media port. */
  get mediaPort() {
    return this.#ports.media;
  }

  /** The last lines that the server wrote. */
  get logTail() {
    return this.#log.join('\n');
  }

  /** The code behind the last link of a letter to `address` that leads to `place` (`verify`, `reset`): without a mail server letters are in the log. */
  async letter(address, place) {
    return until(`a letter to ${address}`, () => {
      const letters = readFileSync(this.#logFile, 'utf8').split('no mail server is configured; the letter:');
      // What is before a letter's text names its address.
      const texts = letters.slice(1).filter((_, index) => letters[index].slice(-600).includes(address) || letters[index + 1].slice(0, 2_000).includes(address));
      return texts.map((text) => new RegExp(`/account/${place}#([\\w-]+)`).exec(text)?.[1]).findLast(Boolean);
    });
  }

  /** On the same ports and data as before. */
  async startAgain() {
    const { http, media } = this.#ports;
    const child = spawn(
      binary(),
      ['serve', '--listen', `${this.#host}:${http}`, '--media-port', String(media), '--workers', String(WORKERS), '--data-dir', this.dataDir, ...this.#options],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, COURTSIDE_LOG: process.env.COURTSIDE_LOG ?? 'info' } },
    );
    const keep = (line) => {
      this.#log.push(line);
      if (this.#log.length > LOG_TAIL) this.#log.shift();
      appendFileSync(this.#logFile, `${line}\n`);
    };
    for (const input of [child.stdout, child.stderr]) createInterface({ input }).on('line', keep);
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
    await until('the server to be ready', async () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${this.logTail}`);
      return (await fetch(`${this.url}/readyz`)).ok;
    });
  }

  /** Pulls the plug. */
  async kill() {
    this.#child?.kill('SIGKILL');
    await this.#exited;
    this.#child = null;
  }

  /** Asks it to stop; resolves with its exit code. */
  async stop() {
    if (!this.#child) return null;
    this.#child.kill('SIGTERM');
    const impatient = setTimeout(() => this.#child?.kill('SIGKILL'), 15_000);
    const code = await this.#exited;
    clearTimeout(impatient);
    this.#child = null;
    return code;
  }

  async remove() {
    const code = await this.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
    return code;
  }

  /** A capability token, as the operator mints it. */
  async token(...args) {
    const { stdout } = await run(binary(), ['token', '--data-dir', this.dataDir, ...args]);
    return stdout.trim();
  }

  async broadcasts() {
    const response = await fetch(`${this.url}/api/v1/broadcasts`);
    if (!response.ok) throw new Error(`broadcasts: HTTP ${response.status}`);
    return (await response.json()).broadcasts;
  }

  async broadcast(idOrSlug) {
    const response = await fetch(`${this.url}/api/v1/broadcasts/${idOrSlug}`);
    if (!response.ok) throw new Error(`broadcast ${idOrSlug}: HTTP ${response.status}`);
    return response.json();
  }
}
