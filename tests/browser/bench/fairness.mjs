// Eight viewers behind one bottleneck of 8 Mbit/s: three layers of 2.7, 0.9 and 0.3 Mbit/s, of which the middle one is everybody's fair share.
//
//   fairness.mjs [--json] [--viewers=8] [--seconds=120] [--rate=8] [--plot=FILE]
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freeUdpPorts } from '../support/server.mjs';
import { courtside, generate, relay } from './load.mjs';
import { machine, median, numberOption, print, rounded } from './report.mjs';

const viewers = numberOption('viewers', 8);
const seconds = numberOption('seconds', 120);
const megabits = numberOption('rate', 8);
const plot = process.argv.find((argument) => argument.startsWith('--plot='))?.slice(7) ?? null;
const PACKETS_PER_SECOND = 300;
/** Payload, RTP header with extensions and tag. */
const PACKET_BITS = (1100 + 24 + 16) * 8;
const LAYERS = [9, 3, 1].map((part) => (PACKETS_PER_SECOND / part) * PACKET_BITS);
/** The windows of joining say nothing about sharing. */
const JOINING_S = 15;

const fairRate = (megabits * 1e6) / viewers;
const fairLayer = LAYERS.findLastIndex((rate) => rate <= fairRate);
if (fairLayer < 1) throw new Error('the fair layer must have one below it: choose --rate and --viewers so that a fair share is above 0.9 Mbit/s');
/** The layer that a rate comes from: the nearest by ratio; -1 for nothing. */
function layerOf(rate) {
  if (rate < LAYERS[0] / 4) return -1;
  return LAYERS.map((layer, index) => [Math.abs(Math.log(rate / layer)), index]).toSorted(([a], [b]) => a - b)[0][1];
}

const folder = mkdtempSync(join(tmpdir(), 'courtside-fairness-'));
const timeline = join(folder, 'timeline');
const port = await freeUdpPorts();
const server = await courtside({ options: ['--advertise', `127.0.0.1:${port}`] });
const link = await relay(server, port, ['--shared', '--up', 'latency=20ms', '--down', `rate=${megabits}M queue=200ms`]);
let counts = null;
let figures;
try {
  figures = await generate(server, ['--layers', '3', '--packets-per-second', String(PACKETS_PER_SECOND), '--viewers', String(viewers), '--ramp', '4/s', '--seconds', String(seconds + JOINING_S), '--timeline', timeline], null);
} finally {
  counts = await link.stop();
  await server.stop();
}
const lines = readFileSync(timeline, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
rmSync(folder, { recursive: true, force: true });
/** Whoever got nothing more at the end had nothing there. */
const end = Math.max(...lines.map(({ first, bits_per_second: rates }) => first + rates.length));
const seats = lines.map(({ window_ms: ms, first, bits_per_second: received }) => {
  const rates = [...received, ...Array(end - first - received.length).fill(0)];
  // A second at a time: a key frame is a burst, and half a second of it would look like another layer.
  const skip = Math.ceil((JOINING_S * 1_000) / ms);
  const kept = rates.slice(skip, -2);
  const smooth = kept.slice(1).map((rate, index) => (rate + kept[index]) / 2);
  const layers = smooth.map(layerOf);
  const share = (holds) => layers.filter(holds).length / layers.length;
  return { below: share((layer) => layer < fairLayer), black: share((layer) => layer < 0), perMinute: changes(layers) / ((layers.length * ms) / 60_000), rates: smooth };
});
if (plot) writeFileSync(plot, JSON.stringify({ window_ms: lines[0]?.window_ms, layers: LAYERS, seats: seats.map(({ rates }) => rates) }));

/** Changes of layer that last: two windows in a row of another layer than the two before. */
function changes(layers) {
  let current = layers[0];
  let count = 0;
  for (let at = 1; at < layers.length; at++) {
    if (layers[at] !== current && layers[at] === layers[at - 1]) {
      current = layers[at];
      count += 1;
    }
  }
  return count;
}

const percent = (share) => rounded(100 * share);
print([
  { name: 'fairness.served', value: seats.length, unit: 'viewers', aim: viewers, gate: true, atLeast: true },
  { name: 'fairness.below_fair_layer', value: percent(seats.reduce((sum, { below }) => sum + below, 0) / seats.length), unit: '%', aim: 15, gate: true },
  { name: 'fairness.below_fair_layer.worst', value: percent(Math.max(...seats.map(({ below }) => below))), unit: '%' },
  { name: 'fairness.switches_per_minute', value: rounded(Math.max(...seats.map(({ perMinute }) => perMinute))), unit: '1/min', aim: 4, gate: true },
  { name: 'fairness.queue.p95', value: rounded(counts.down.delay_p95_ms), unit: 'ms', aim: 50, gate: true },
  { name: 'fairness.queue.max', value: rounded(counts.down.delay_max_ms), unit: 'ms' },
  { name: 'fairness.black.worst', value: percent(Math.max(...seats.map(({ black }) => black))), unit: '%', aim: 0, gate: true },
  { name: 'fairness.rate.median', value: Math.round(median(seats.map(({ rates }) => median(rates))) / 1_000), unit: 'kbit/s' },
  { name: 'fairness.overflowed', value: counts.down.overflowed, unit: 'packets' },
  { name: 'fairness.freeze_ratio', value: rounded(figures.freeze_ratio), unit: '%' },
], `${viewers} viewers behind ${megabits} Mbit/s with a queue of 200 ms, layers of ${LAYERS.map((rate) => (rate / 1e6).toFixed(1)).join(', ')} Mbit/s, ${seconds} s after ${JOINING_S} s of joining, ${machine()}`);
