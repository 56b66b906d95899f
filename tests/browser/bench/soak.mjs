// Viewers come and go for a long time: does the server's memory grow, and does anything fail?
//
//   soak.mjs [--json] [--viewers=200] [--churn=20] [--minutes=10] [--plot=FILE]
import { writeFileSync } from 'node:fs';
import { counter, courtside, generate, residentBytes } from './load.mjs';
import { machine, numberOption, print, rounded } from './report.mjs';

const viewers = numberOption('viewers', 200);
const churn = numberOption('churn', 20);
const minutes = numberOption('minutes', 10);
const plot = process.argv.find((argument) => argument.startsWith('--plot='))?.slice(7) ?? null;
const KIB = 1_024;
/** Until the caches, the rings and the allocator have what they need: a fifth of the time, at least half a minute. */
const WARM_UP_S = Math.max(30, minutes * 12);
/** What the trend may add up to, KiB: noise of the allocator's. At 12,000 joins it shows a leak of 44 bytes each. */
const GROWTH_MAX_KIB = 512;

const server = await courtside();
const memory = [];
let sampler = null;
let figures;
let leftOver;
try {
  const began = Date.now();
  sampler = setInterval(() => memory.push([(Date.now() - began) / 1_000, residentBytes(server.pid) / KIB]), 1_000);
  figures = await generate(server, ['--packets-per-second', '90', '--viewers', String(viewers), '--ramp', '50/s', '--churn', `${churn}/s`, '--seconds', String(minutes * 60)]);
  clearInterval(sampler);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  leftOver = await counter(server, 'courtside_sfu_peers');
} finally {
  clearInterval(sampler);
  await server.stop();
}

/** Slope of the least-squares line, KiB a second. */
function slope(points) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map(([at]) => at)), mean(points.map(([, value]) => value))];
  return points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0) / points.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
}

const steady = memory.filter(([at]) => at > WARM_UP_S && at < memory.at(-1)[0] - 5);
if (plot) writeFileSync(plot, JSON.stringify({ memory }));
const joins = Math.round(churn * minutes * 60);
print([
  { name: 'soak.growth', value: Math.max(0, Math.round(slope(steady) * (steady.at(-1)?.[0] - steady[0]?.[0]))), unit: 'KiB', aim: GROWTH_MAX_KIB, gate: true },
  { name: 'soak.failed', value: figures.viewers_failed, unit: 'viewers', aim: 0, gate: true },
  { name: 'soak.left_over', value: leftOver, unit: 'peers', aim: 0, gate: true },
  { name: 'soak.memory', value: Math.round(steady.at(-1)?.[1] ?? NaN), unit: 'KiB' },
  { name: 'soak.joins', value: joins, unit: 'joins' },
  { name: 'soak.join.p99', value: rounded(figures.join_p99), unit: 'ms' },
  { name: 'soak.lost', value: figures.packets_lost, unit: 'packets' },
  { name: 'soak.cores', value: Math.round(figures.server_cores * 1_000) / 1_000, unit: 'cores' },
], `${viewers} viewers of whom ${churn} a second leave and are replaced, ${minutes} minutes, growth is the trend after ${WARM_UP_S} s, ${machine()}`);
