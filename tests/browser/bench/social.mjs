// What the social plane costs: thousands of open sockets in one chat, against nchan (nginx) in the same run, and ten thousand idle ones; a
// flood of messages, a storm of reactions, and a slow reader among others.
//
//   social.mjs [--json] [--only=fanout,idle,flood,reactions,slow] [--sockets=3000] [--seconds=10]
//              fanout: [--runs=3]   idle: [--idle=10000]   flood: [--messages=20000] [--minutes=1]
//              reactions: [--taps=100000]   slow: [--others=1000] [--turn=20] [--turns=3]
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { binary, freeTcpPort } from '../support/server.mjs';
import { courtside, start } from './load.mjs';
import { machine, median, numberOption, print, rounded } from './report.mjs';

const run = promisify(execFile);
const sockets = numberOption('sockets', 3000);
const idle = numberOption('idle', 10_000);
const seconds = numberOption('seconds', 10);
const runs = numberOption('runs', 3);
const others = numberOption('others', 1000);
const PARTS = ['fanout', 'idle', 'flood', 'reactions', 'slow'];
const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice(7).split(',') ?? PARTS;
const unknown = only.filter((part) => !PARTS.includes(part));
if (unknown.length > 0) throw new Error(`--only takes ${PARTS.join(', ')}, not ${unknown.join(', ')}`);
const NCHAN = ['/usr/lib/nginx/modules/ngx_nchan_module.so', '/usr/share/nginx/modules/ngx_nchan_module.so'].find((path) => existsSync(path));
const CHARACTERS = 40;

/** What is said in a turn beside a slow reader: below what is sampled, and far more than it reads. */
const SPOKEN = ['--messages-per-s', '15', '--characters', '400'];

/** The crowd on the second core; its rows. A gate that it misses is told by the row. */
async function crowdRows(pid, options) {
  const command = [join(dirname(binary()), 'courtside-crowd'), '--server-pid', String(pid), '--json', ...options];
  const { stdout, stderr } = await run('taskset', ['-c', '1', ...command], { maxBuffer: 1 << 20 });
  process.stderr.write(stderr);
  // What is not a number is no JSON.
  return stdout.trim().split('\n').map((line) => JSON.parse(line)).map((row) => ({ ...row, value: row.value ?? NaN }));
}

/** The same: its figures by name. */
async function crowd(pid, options) {
  const rows = await crowdRows(pid, ['--seconds', String(seconds), ...options]);
  return Object.fromEntries(rows.map(({ name, value }) => [name.replace('crowd.', ''), value]));
}

/** A server, with one broadcast unless the crowd makes its own, and what a crowd in its chat finds. */
async function withServer(find, { makesBroadcast = false } = {}) {
  const server = await courtside();
  try {
    if (!makesBroadcast) {
      const made = await fetch(`${server.url}/api/v1/broadcasts`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ title: 'Crowd', slug: 'crowd' }) });
      if (!made.ok) throw new Error(`no broadcast: ${made.status} ${await made.text()}`);
    }
    return await find(server.pid, ['--url', `${server.url.replace('http', 'ws')}/v1/ws`, '--broadcast', 'crowd']);
  } finally {
    await server.stop();
  }
}

const ours = (options) => withServer((pid, where) => crowd(pid, [...where, ...options]));

/** The rows of one load, with the aims that the crowd knows. */
async function load(name, options) {
  const before = machine();
  const rows = await withServer((pid, where) => crowdRows(pid, [...where, '--load', name, ...options]), { makesBroadcast: name === 'flood' });
  const short = (value) => Math.round(value * 100) / 100;
  print(rows.map(({ name: row, value, unit, aim, gate }) => ({ name: row.replace('crowd.', `social.${name}_`), value: short(value), unit, aim, gate })),
    `${rows[0].conditions}; server and generator on a core each; ${before} before, ${machine()} after`);
}

async function nchan(bytes) {
  const port = await freeTcpPort();
  const folder = mkdtempSync(join(tmpdir(), 'nchan-'));
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, `load_module ${NCHAN};
daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log; worker_rlimit_nofile 20000;
events { worker_connections 20000; }
http { access_log off; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server { listen 127.0.0.1:${port} backlog=4096; location = /sub { nchan_subscriber websocket; nchan_channel_id x; } location = /pub { nchan_publisher; nchan_channel_id x; nchan_message_buffer_length 5; } } }
`);
  const server = start(['nginx', '-p', folder, '-c', file], 0);
  try {
    await new Promise((resolve) => setTimeout(resolve, 500));
    return await crowd(server.pid, ['--bare', '--url', `ws://127.0.0.1:${port}/sub`, '--post', `http://127.0.0.1:${port}/pub`, '--sockets', String(sockets), '--messages-per-s', '10', '--characters', String(bytes)]);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fanout() {
  const [our, theirs] = [[], []];
  for (let turn = 0; turn < runs; turn++) {
    const figures = await ours(['--sockets', String(sockets), '--messages-per-s', '10', '--characters', String(CHARACTERS)]);
    our.push(figures);
    // The same frames: of the size that ours had.
    if (NCHAN) theirs.push(await nchan(Math.round(figures.bytes_per_frame) - 4));
  }
  const of = (all, name) => median(all.map((figures) => figures[name]));
  const rows = [
    { name: 'social.frames_per_cpu_s', value: Math.round(of(our, 'frames_per_cpu_second')), unit: 'frames', aim: 180_000, gate: true, atLeast: true },
    { name: 'social.frame_bytes', value: Math.round(of(our, 'bytes_per_frame')), unit: 'B' },
    { name: 'social.frames_per_s', value: Math.round(of(our, 'frames_per_second')), unit: 'frames' },
    { name: 'social.memory_active', value: rounded(of(our, 'memory_per_socket')), unit: 'KiB' },
  ];
  if (NCHAN) {
    const ratio = median(our.map((figures, turn) => figures.frames_per_cpu_second / theirs[turn].frames_per_cpu_second));
    rows.push(
      { name: 'social.nchan_frames_per_cpu_s', value: Math.round(of(theirs, 'frames_per_cpu_second')), unit: 'frames' },
      { name: 'social.ratio_to_nchan', value: Math.round(ratio * 100) / 100, unit: 'x', aim: 1, gate: true, atLeast: true },
    );
  }
  print(rows, `${sockets} sockets, one chat frame each 100 ms, server and generator on a core each, median of ${runs} runs; ${machine()}`);
}

async function quiet() {
  const figures = await ours(['--sockets', String(idle), '--messages-per-s', '0']);
  print([{ name: 'social.memory_idle', value: rounded(figures.memory_per_socket), unit: 'KiB', aim: 8, gate: true }], `${idle} idle sockets in a chat, no TLS; ${machine()}`);
}

const MEASURES = {
  fanout,
  idle: quiet,
  flood: () => load('flood', ['--sockets', String(sockets), '--messages-per-s', String(numberOption('messages', 20_000)), '--characters', String(CHARACTERS), '--seconds', String(Math.round(60 * numberOption('minutes', 1)))]),
  reactions: () => load('reactions', ['--sockets', String(sockets), '--taps-per-s', String(numberOption('taps', 100_000)), '--seconds', String(seconds)]),
  slow: () => load('slow', ['--sockets', String(others + 1), ...SPOKEN, '--seconds', String(numberOption('turn', 20)), '--turns', String(numberOption('turns', 3))]),
};
for (const part of PARTS.filter((name) => only.includes(name))) await MEASURES[part]();
