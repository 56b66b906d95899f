// What peers who mean no good cost the others: forwarding latency beside each attack, in turns with a run without any.
//
//   hostile.mjs [--json] [--viewers=100] [--packets=180] [--runs=3] [--seconds=10] [--attack=NAME,...]
import { courtside, generate } from './load.mjs';
import { machine, median, numberOption, print, rounded } from './report.mjs';

/** By name: villains, and what each does a second. */
const ATTACKS = { nack: [4, 500], pli: [4, 500], feedback: [4, 500], ssrcs: [4, 500], noise: [4, 1_000], handshakes: [4, 25] };
const EXCESS_MAX = 25;
const viewers = numberOption('viewers', 100);
const packets = numberOption('packets', 180);
const runs = numberOption('runs', 3);
const seconds = numberOption('seconds', 10);
const wanted = process.argv.find((argument) => argument.startsWith('--attack='))?.slice(9).split(',') ?? Object.keys(ATTACKS);

async function measure(attack) {
  const server = await courtside();
  try {
    const [villains, rate] = ATTACKS[attack] ?? [];
    const options = attack ? ['--attack', attack, '--villains', String(villains), '--attack-rate', `${rate}/s`] : [];
    const figures = await generate(server, ['--packets-per-second', String(packets), '--viewers', String(viewers), '--ramp', '50/s', '--seconds', String(seconds), ...options]);
    return { p99: figures.forward_latency_p99 / 1_000, lost: figures.packets_lost, failed: figures.viewers_failed, cores: figures.server_cores };
  } finally {
    await server.stop();
  }
}

const rows = [];
for (const attack of wanted) {
  const [calm, beside] = [[], []];
  for (let run = 0; run < runs; run++) {
    console.error(`${attack}: turn ${run + 1} of ${runs}`);
    calm.push(await measure(null));
    beside.push(await measure(attack));
  }
  const of = (turns, key) => turns.map((turn) => turn[key]);
  const [before, during] = [median(of(calm, 'p99')), median(of(beside, 'p99'))];
  // Within what undisturbed runs differ by among themselves it is no difference.
  const excess = during <= Math.max(...of(calm, 'p99')) ? Math.min(EXCESS_MAX, (100 * (during - before)) / before) : (100 * (during - before)) / before;
  rows.push(
    { name: `hostile.${attack}.p99_excess`, value: rounded(excess), unit: '%', aim: EXCESS_MAX, gate: true },
    { name: `hostile.${attack}.p99`, value: rounded(during), unit: 'ms' },
    { name: `hostile.${attack}.p99.control`, value: rounded(before), unit: 'ms' },
    { name: `hostile.${attack}.p99.control.max`, value: rounded(Math.max(...of(calm, 'p99'))), unit: 'ms' },
    { name: `hostile.${attack}.failed`, value: Math.max(...of(beside, 'failed')), unit: 'viewers', aim: 0, gate: true },
    { name: `hostile.${attack}.lost`, value: median(of(beside, 'lost')), unit: 'packets' },
    { name: `hostile.${attack}.cores`, value: Math.round(1_000 * median(of(beside, 'cores'))) / 1_000, unit: 'cores' },
    { name: `hostile.${attack}.cores.control`, value: Math.round(1_000 * median(of(calm, 'cores'))) / 1_000, unit: 'cores' },
  );
}
const storms = wanted.map((attack) => `${attack} ${ATTACKS[attack][0]} x ${ATTACKS[attack][1]}/s`).join(', ');
print(rows, `${viewers} viewers, ${packets} packets/s of 1100 bytes to each, one worker; villains: ${storms}; ${runs} turns of ${seconds} s beside as many without, ${machine()}`);
