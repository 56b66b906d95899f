// What the social plane costs: thousands of open sockets in one chat, against nchan (nginx) in the same run, and ten thousand idle ones.
//
//   social.mjs [--json] [--sockets=3000] [--idle=10000] [--seconds=10] [--runs=3]
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
const NCHAN = ['/usr/lib/nginx/modules/ngx_nchan_module.so', '/usr/share/nginx/modules/ngx_nchan_module.so'].find((path) => existsSync(path));
const CHARACTERS = 40;

/** The crowd on the second core; its figures by name. */
async function crowd(pid, options) {
  const command = [join(dirname(binary()), 'courtside-crowd'), '--server-pid', String(pid), '--seconds', String(seconds), '--json', ...options];
  const { stdout } = await run('taskset', ['-c', '1', ...command], { maxBuffer: 1 << 20 });
  return Object.fromEntries(stdout.trim().split('\n').map((line) => JSON.parse(line)).map(({ name, value }) => [name.replace('crowd.', ''), value]));
}

/** A server with one broadcast, and the figures of a crowd in its chat. */
async function ours(options) {
  const server = await courtside();
  try {
    const made = await fetch(`${server.url}/api/v1/broadcasts`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ title: 'Crowd', slug: 'crowd' }) });
    if (!made.ok) throw new Error(`no broadcast: ${made.status} ${await made.text()}`);
    return await crowd(server.pid, ['--url', `${server.url.replace('http', 'ws')}/v1/ws`, '--broadcast', 'crowd', ...options]);
  } finally {
    await server.stop();
  }
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

const rows = [];
const [our, theirs] = [[], []];
for (let turn = 0; turn < runs; turn++) {
  const figures = await ours(['--sockets', String(sockets), '--messages-per-s', '10', '--characters', String(CHARACTERS)]);
  our.push(figures);
  // The same frames: of the size that ours had.
  if (NCHAN) theirs.push(await nchan(Math.round(figures.bytes_per_frame) - 4));
}
const of = (all, name) => median(all.map((figures) => figures[name]));
rows.push(
  { name: 'social.frames_per_cpu_s', value: Math.round(of(our, 'frames_per_cpu_second')), unit: 'frames', aim: 180_000, gate: true, atLeast: true },
  { name: 'social.frame_bytes', value: Math.round(of(our, 'bytes_per_frame')), unit: 'B' },
  { name: 'social.frames_per_s', value: Math.round(of(our, 'frames_per_second')), unit: 'frames' },
  { name: 'social.memory_active', value: rounded(of(our, 'memory_per_socket')), unit: 'KiB' },
);
if (NCHAN) {
  const ratio = median(our.map((figures, turn) => figures.frames_per_cpu_second / theirs[turn].frames_per_cpu_second));
  rows.push(
    { name: 'social.nchan_frames_per_cpu_s', value: Math.round(of(theirs, 'frames_per_cpu_second')), unit: 'frames' },
    { name: 'social.ratio_to_nchan', value: Math.round(ratio * 100) / 100, unit: 'x', aim: 1, gate: true, atLeast: true },
  );
}
const quiet = await ours(['--sockets', String(idle), '--messages-per-s', '0']);
rows.push({ name: 'social.memory_idle', value: rounded(quiet.memory_per_socket), unit: 'KiB', aim: 8, gate: true });
print(rows, `${sockets} sockets, one chat frame each 100 ms, server and generator on a core each, median of ${runs} runs; ${idle} idle sockets in a chat, no TLS; ${machine()}`);
