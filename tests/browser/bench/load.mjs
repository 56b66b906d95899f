// What benchmarks with the load generator share: a server of our own on a core of its own, the generator on another, and the system's figures.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { binary, freeTcpPort, freeUdpPorts } from '../support/server.mjs';
import { until } from '../support/until.mjs';

const run = promisify(execFile);
/** What Linux calls a tick, in almost every build. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** Servers on the first core, the generator on the second, where there are two. */
const pinned = availableParallelism() > 1;
const pin = (core, command) => (pinned && core !== null ? ['taskset', '-c', String(core), ...command] : command);
const beside = (name) => join(dirname(binary()), name);

/** Starts a program on a core (`null`: wherever it likes). */
export function start(command, core = 0) {
  const [program, ...options] = pin(core, command);
  // taskset becomes the program, so the process is the server's own.
  const child = spawn(program, options, { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return { pid: child.pid, ended, stop: async () => { child.kill('SIGTERM'); await ended; } };
}

export async function answers(url) {
  return until(`${url} to answer`, async () => (await fetch(url)).ok, { within: 15_000 });
}

/** A port that was free a moment ago may be taken when the server comes to it. */
const START_ATTEMPTS = 3;

/** A fresh server. `options`: further command line arguments. */
export async function courtside({ workers = 1, core = 0, options = [] } = {}) {
  for (let attempt = 1; ; attempt++) {
    const [port, media] = [await freeTcpPort(), await freeUdpPorts()];
    const folder = mkdtempSync(join(tmpdir(), 'courtside-bench-'));
    const url = `http://127.0.0.1:${port}`;
    const server = start([
      binary(), 'serve', '--listen', `127.0.0.1:${port}`, '--media-port', String(media), '--workers', String(workers), '--data-dir', folder, '--open-publish', '--log', 'warn', ...options,
    ], core);
    const stop = async () => { await server.stop(); rmSync(folder, { recursive: true, force: true }); };
    try {
      await Promise.race([answers(`${url}/readyz`), server.ended.then(() => { throw new Error('the server did not start'); })]);
      return { pid: server.pid, url, mediaPort: media, options: ['--url', url], stop };
    } catch (thrown) {
      await stop();
      if (attempt === START_ATTEMPTS) throw thrown;
    }
  }
}

/** The link relay before a server's media ports. Resolves with its counts at the end of `stop`. */
export async function relay(server, port, options) {
  const child = spawn(beside('courtside-linksim'), ['--listen', `127.0.0.1:${port}`, '--to', `127.0.0.1:${server.mediaPort}`, '--json', ...options], { stdio: ['ignore', 'pipe', 'ignore'] });
  let printed = '';
  child.stdout.on('data', (text) => { printed += text; });
  const ended = new Promise((resolve) => child.once('close', resolve));
  return { stop: async () => { child.kill('SIGTERM'); await ended; return JSON.parse(printed.trim().split('\n').at(-1)); } };
}

/** One run of the generator against a server: its figures by name. A missed gate of its own is no failure of the run. */
export async function generate(server, options, core = 1) {
  const command = pin(core, [beside('courtside-loadgen'), ...server.options, '--server-pid', String(server.pid), '--publish', 'synthetic', ...options, '--json']);
  const { stdout } = await run(command[0], command.slice(1), { maxBuffer: 1 << 24 });
  return Object.fromEntries(stdout.trim().split('\n').map((line) => JSON.parse(line)).map(({ name, value }) => [name, value]));
}

/** CPU time that a process has used, s. */
export function cpuSeconds(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name, in parentheses, may contain anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory of a process, bytes. */
export function residentBytes(pid) {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
}

/** The sum of one of the server's counters over its labels; 0 where it has none. It is at most a second old. */
export async function counter(server, name) {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** Of one of the server's histograms, all labels together: the bound of the bucket that holds this quantile, which is at most that large. `Infinity`: the last one. */
export async function quantile(server, name, of) {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const buckets = new Map();
  for (const [, bound, count] of text.matchAll(new RegExp(`^${name}_bucket\\{[^}]*le="([^"]+)"[^}]*\\} (\\d+)`, 'gm'))) {
    const upper = bound === '+Inf' ? Infinity : Number(bound);
    buckets.set(upper, (buckets.get(upper) ?? 0) + Number(count));
  }
  const all = buckets.get(Infinity) ?? 0;
  const [found] = [...buckets].sort(([a], [b]) => a - b).find(([, count]) => all > 0 && count >= of * all) ?? [null];
  return found;
}
