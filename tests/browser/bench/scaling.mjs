// More viewers, and more workers: what a packet costs, and what a viewer costs in memory.
//
//   scaling.mjs [--json] [--few=100] [--many=1000] [--seconds=10] [--runs=3] [--sink-viewers=600] [--sink-packets=6000]
//
// Two workers are compared with one while they send into sockets that nobody reads, so that what a reader costs on the same machine does not
// count: the generator does nothing meanwhile but publish more than is wanted. It shares the cores with the workers, and the system decides.
import { counter, courtside, cpuSeconds, generate } from './load.mjs';
import { machine, median, numberOption, print, rounded } from './report.mjs';

const few = numberOption('few', 100);
const many = numberOption('many', 1_000);
const seconds = numberOption('seconds', 10);
const runs = numberOption('runs', 3);
const sinkViewers = numberOption('sink-viewers', 600);
const sinkPackets = numberOption('sink-packets', 6_000);
const PACKETS = 60;

/** The same load with few and with many viewers, on one fresh server: CPU per packet of each, and memory between them. */
async function grown() {
  const server = await courtside();
  try {
    const of = (viewers) => generate(server, ['--packets-per-second', String(PACKETS), '--viewers', String(viewers), '--ramp', '20/s', '--seconds', String(seconds)]);
    const [small, large] = [await of(few), await of(many)];
    return { few: small.server_cpu_per_packet, many: large.server_cpu_per_packet, perViewer: (large.server_memory - small.server_memory) / (many - few), lost: large.packets_lost };
  } finally {
    await server.stop();
  }
}

/** Into sockets that nobody reads: CPU per packet sent, and packets sent a second, over the middle of the run. */
async function sunk(workers) {
  const server = await courtside({ workers, core: null });
  try {
    const joining = sinkViewers / 50 + 6;
    const running = generate(server, ['--packets-per-second', String(sinkPackets), '--viewers', String(sinkViewers), '--ramp', '50/s', '--seconds', String(seconds + 4), '--sink'], null);
    await new Promise((resolve) => setTimeout(resolve, joining * 1_000));
    const look = async () => ({ cpu: cpuSeconds(server.pid), packets: await counter(server, 'courtside_sfu_packets_forwarded_total'), at: performance.now() });
    const before = await look();
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    const after = await look();
    await running;
    const packets = after.packets - before.packets;
    const elapsed = (after.at - before.at) / 1_000;
    return { perPacket: ((after.cpu - before.cpu) * 1e9) / packets, perSecond: packets / elapsed, cores: (after.cpu - before.cpu) / elapsed };
  } finally {
    await server.stop();
  }
}

const growth = [];
const pairs = [];
for (let run = 0; run < runs; run++) {
  console.error(`turn ${run + 1} of ${runs}: ${few} and ${many} viewers`);
  growth.push(await grown());
  console.error(`turn ${run + 1} of ${runs}: one and two workers`);
  pairs.push([await sunk(1), await sunk(2)]);
}
const exact = (value) => Math.round(value * 1_000) / 1_000;
const change = growth.map((turn) => (100 * (turn.many - turn.few)) / turn.few);
const sink = `${sinkViewers} viewers that do not read, ${sinkPackets} packets/s to each offered`;
print([
  { name: 'scaling.cpu_per_packet.growth', value: rounded(median(change)), unit: '%', aim: 15, gate: true },
  { name: `scaling.cpu_per_packet.${few}`, value: Math.round(median(growth.map((turn) => turn.few))), unit: 'ns' },
  { name: `scaling.cpu_per_packet.${many}`, value: Math.round(median(growth.map((turn) => turn.many))), unit: 'ns' },
  { name: 'scaling.memory_per_viewer', value: rounded(median(growth.map((turn) => turn.perViewer)) / 1_024), unit: 'KiB', aim: 24, gate: true },
  { name: 'scaling.lost', value: median(growth.map((turn) => turn.lost)), unit: 'packets' },
  { name: 'scaling.workers.cpu_per_packet', value: exact(median(pairs.map(([one, two]) => two.perPacket / one.perPacket))), unit: 'x', aim: 1.15, gate: true },
  { name: 'scaling.workers.packets', value: exact(median(pairs.map(([one, two]) => two.perSecond / one.perSecond))), unit: 'x', aim: 1.8, gate: true, atLeast: true },
  ...[0, 1].flatMap((index) => {
    const of = (key) => median(pairs.map((pair) => pair[index][key]));
    const name = `scaling.sink.${index + 1}`;
    return [
      { name: `${name}.cpu_per_packet`, value: Math.round(of('perPacket')), unit: 'ns' },
      { name: `${name}.packets`, value: Math.round(of('perSecond')), unit: '1/s' },
      { name: `${name}.cores`, value: exact(of('cores')), unit: 'cores' },
    ];
  }),
], `${PACKETS} packets/s of 1100 bytes to each of ${few} and ${many} viewers, one worker; then ${sink}, one and two workers; ${runs} turns of ${seconds} s, ${machine()}`);
