// Us and others under the same load: server CPU time per packet that viewers received. One generator, one machine, one core for each server;
// the servers take turns, each fresh for its turn.
//
//   peers.mjs [--json] [--viewers=200] [--runs=3] [--seconds=10] [--packets=180] [--peer=NAME,WHIP,WHEP,PID]...
//
// A peer of yours is a running WHIP and WHEP server on this machine ({broadcast} stands for the name) and its process.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freeTcpPort } from '../support/server.mjs';
import { answers, courtside, generate, start } from './load.mjs';
import { machine, numberOption, print, quantile, rounded } from './report.mjs';

const GATE = 0.2;
/** A turn in which fewer viewers than this share had media says nothing about so many viewers. */
const SERVED = 0.95;
const OURS = 'courtside';
const viewers = numberOption('viewers', 200);
const runs = numberOption('runs', 3);
const seconds = numberOption('seconds', 10);
// The rate of the figures in the documentation: 1.6 Mbit/s in packets of 1100 bytes.
const packets = numberOption('packets', 180);

/** An address of this machine that is not loopback: Janus announces no other. */
function ownAddress() {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { family, internal, address } of addresses ?? []) if (family === 'IPv4' && !internal) return address;
  }
  throw new Error('this machine has no address but loopback, and Janus announces no loopback candidates: add a veth or dummy interface');
}

async function janus() {
  const [port, address] = [await freeTcpPort(), ownAddress()];
  const folder = mkdtempSync(join(tmpdir(), 'janus-peers-'));
  const write = (name, text) => writeFileSync(join(folder, name), text);
  // One event loop: its default, a thread for each handle, does worse on few cores.
  write('janus.jcfg', `general: { admin_secret = "none"; debug_level = 2; event_loops = 1; session_timeout = 0; configs_folder = "${folder}"; server_name = "peers"; }
nat: { ice_enforce_list = "${address}"; }
media: { ipv6 = false; }
plugins: { disable = "libjanus_audiobridge.so,libjanus_duktape.so,libjanus_echotest.so,libjanus_lua.so,libjanus_nosip.so,libjanus_recordplay.so,libjanus_sip.so,libjanus_streaming.so,libjanus_textroom.so,libjanus_videocall.so,libjanus_voicemail.so"; }
transports: { disable = "libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so,libjanus_websockets.so"; }
events: { broadcast = false; }
`);
  write('janus.transport.http.jcfg', `general: { json = "compact"; base_path = "/janus"; http = true; port = ${port}; ip = "127.0.0.1"; https = false; }
admin: { admin_http = false; }
`);
  write('janus.plugin.videoroom.jcfg', 'general: { }\n');
  const server = start(['janus', '-F', folder, '-C', join(folder, 'janus.jcfg'), '--disable-stdout', '--log-file', join(folder, 'janus.log')]);
  await answers(`http://127.0.0.1:${port}/janus/info`);
  return { pid: server.pid, options: ['--server', 'janus', '--url', `http://127.0.0.1:${port}`], stop: async () => { await server.stop(); rmSync(folder, { recursive: true, force: true }); } };
}

/** `NAME,WHIP,WHEP,PID`: a server that somebody else started. */
function given(text) {
  const [name, whip, whep, pid] = text.split(',');
  if (!name || !whip || !whep || !(Number(pid) > 0)) throw new Error(`--peer=${text}: NAME,WHIP,WHEP,PID`);
  return [name, async () => ({ pid: Number(pid), options: ['--whip', whip, '--whep', whep], stop: async () => undefined })];
}

/** One turn: the generator's figures by name. */
async function measure(begin) {
  const server = await begin();
  try {
    const load = ['--packets-per-second', String(packets), '--viewers', String(viewers), '--ramp', '50/s', '--seconds', String(seconds)];
    const figures = await generate(server, load);
    if (figures.viewers_with_media < viewers * SERVED) throw new Error(`only ${figures.viewers_with_media} of ${viewers} viewers were served`);
    return figures;
  } finally {
    await server.stop();
  }
}

const peers = process.argv.filter((argument) => argument.startsWith('--peer=')).map((argument) => given(argument.slice(7)));
const contenders = new Map([[OURS, () => courtside()], ['janus', janus], ...peers]);
const found = new Map([...contenders.keys()].map((name) => [name, []]));
for (let turn = 0; turn < runs; turn++) {
  for (const [name, begin] of contenders) {
    console.error(`turn ${turn + 1} of ${runs}: ${name}`);
    found.get(name).push(await measure(begin));
  }
}

const conditions = `${viewers} viewers, ${packets} packets/s of 1100 bytes to each, ${seconds} s, median of ${runs} alternating runs, server on one core, Janus with event_loops=1, ${machine()}`;
const column = (name, row) => found.get(name).map((figures) => figures[row] ?? NaN).toSorted((a, b) => a - b);
const rows = [];
for (const name of contenders.keys()) {
  const cpu = column(name, 'server_cpu_per_packet');
  rows.push(
    { name: `peers.${name}.cpu_per_packet`, value: rounded(quantile(cpu, 0.5)), unit: 'ns' },
    { name: `peers.${name}.cpu_per_packet.min`, value: rounded(cpu[0]), unit: 'ns' },
    { name: `peers.${name}.cpu_per_packet.max`, value: rounded(cpu.at(-1)), unit: 'ns' },
    { name: `peers.${name}.cores`, value: Math.round(quantile(column(name, 'server_cores'), 0.5) * 1000) / 1000, unit: 'cores' },
    { name: `peers.${name}.memory_per_viewer`, value: Math.round(quantile(column(name, 'server_memory_per_viewer'), 0.5)), unit: 'bytes' },
    { name: `peers.${name}.latency_p50`, value: rounded(quantile(column(name, 'forward_latency_p50'), 0.5) / 1000), unit: 'ms' },
    { name: `peers.${name}.latency_p99`, value: rounded(quantile(column(name, 'forward_latency_p99'), 0.5) / 1000), unit: 'ms' },
    { name: `peers.${name}.join_p50`, value: rounded(quantile(column(name, 'join_p50'), 0.5)), unit: 'ms' },
    { name: `peers.${name}.loss`, value: rounded(quantile(column(name, 'loss_ratio'), 0.5)), unit: '%' },
    { name: `peers.${name}.viewers`, value: quantile(column(name, 'viewers_with_media'), 0), unit: 'viewers' },
  );
}
// Turn by turn, because what disturbs one turn disturbs its neighbours too.
for (const name of contenders.keys()) {
  if (name === OURS) continue;
  const pairs = found.get(name).map((theirs, turn) => found.get(OURS)[turn].server_cpu_per_packet / theirs.server_cpu_per_packet);
  const ratios = pairs.toSorted((a, b) => a - b);
  const exact = (value) => Math.round(value * 1000) / 1000;
  rows.push(
    { name: `peers.ratio_to_${name}`, value: exact(quantile(ratios, 0.5)), unit: 'x', aim: GATE, gate: name === 'janus' },
    { name: `peers.ratio_to_${name}.min`, value: exact(ratios[0]), unit: 'x' },
    { name: `peers.ratio_to_${name}.max`, value: exact(ratios.at(-1)), unit: 'x' },
  );
}
print(rows, conditions);
