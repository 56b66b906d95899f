// How long a packet stays in the server while its worker is 60 % busy, as the server counts it (`courtside_sfu_forwarding_seconds`), and from
// sending to receiving as the generator sees it. The load is found by trying: packets per second to so many viewers.
//
//   latency.mjs [--json] [--broadcasts=20] [--viewers=1000] [--busy=60] [--seconds=20]
import { courtside, generate, quantile } from './load.mjs';
import { machine, numberOption, print, rounded } from './report.mjs';

/** One alone would be all of the load, and its viewers wait for one another by the length of the load. */
const broadcasts = numberOption('broadcasts', 20);
const viewers = numberOption('viewers', 1000);
const busy = numberOption('busy', 60) / 100;
const seconds = numberOption('seconds', 20);
const TRIES_MAX = 5;
const TRY_S = 5;
/** The load counts as found when the worker is busy within this much of the aim. */
const TOLERANCE = 0.05;

/** A fresh server, one number of packets. */
async function measure(packets, forSeconds) {
  const server = await courtside();
  try {
    const seen = await generate(server, ['--packets-per-second', String(packets), '--broadcasts', String(broadcasts), '--viewers', String(viewers), '--ramp', '100/s', '--seconds', String(forSeconds)]);
    const [p50, p95, p99] = await Promise.all([0.5, 0.95, 0.99].map((of) => quantile(server, 'courtside_sfu_forwarding_seconds', of)));
    return { ...seen, inside: { p50, p95, p99 } };
  } finally {
    await server.stop();
  }
}

let packets = 300;
for (let attempt = 1; attempt <= TRIES_MAX; attempt++) {
  const { server_cores: cores } = await measure(packets, TRY_S);
  console.error(`${packets} packets/s to each: ${Math.round(cores * 100)} % of a core`);
  if (Math.abs(cores - busy) <= TOLERANCE) break;
  // At most twice as much at a time: with few packets most of the cost is not the packets'.
  packets = Math.max(30, Math.round(Math.min(2 * packets, (packets * busy) / cores) / 30) * 30);
}
const found = await measure(packets, seconds);
const ms = (name) => rounded(found[name] / 1_000);
/** Bounds of buckets: at most so much. */
const inside = (of) => (found.inside[of] === null ? null : rounded(found.inside[of] * 1_000));
print([
  { name: 'latency.p99', value: inside('p99'), unit: 'ms', aim: 3, gate: true },
  { name: 'latency.p95', value: inside('p95'), unit: 'ms' },
  { name: 'latency.p50', value: inside('p50'), unit: 'ms' },
  { name: 'latency.seen_p99', value: ms('forward_latency_p99'), unit: 'ms' },
  { name: 'latency.seen_p50', value: ms('forward_latency_p50'), unit: 'ms' },
  // Whether it was the load that it should be.
  { name: 'latency.busy_off_aim', value: rounded(100 * Math.abs(found.server_cores - busy)), unit: '%', aim: 10, gate: true },
  { name: 'latency.busy', value: rounded(100 * found.server_cores), unit: '%' },
  { name: 'latency.packets_per_second', value: Math.round(found.packets_per_second), unit: '1/s' },
  { name: 'latency.lost', value: found.packets_lost, unit: 'packets' },
], `${broadcasts} broadcasts, ${viewers} viewers, ${packets} packets/s of 1100 bytes to each, one worker on a core of its own; in the server from its socket to the last viewer of a run, at most; seen: from sending to receiving, both sockets included; ${seconds} s, ${machine()}`);
