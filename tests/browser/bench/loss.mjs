// Watching in Chromium while the line loses packets, both ways: how long the picture stands still, beside the same line without loss in
// alternating turns.
//
//   loss.mjs [--json] [--runs=5] [--seconds=120] [--loss=5,10] [--rate=1.5M] [--latency=20]
import { freezeRatio, PICTURE, theatre } from './play.mjs';
import { machine, median, numberOption, print } from './report.mjs';

const AIMS = { 5: 0.2, 10: 1 };
const text = (name, fallback) => process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3) ?? fallback;
const runs = numberOption('runs', 5);
const seconds = numberOption('seconds', 120);
const latency = numberOption('latency', 20);
const rate = text('rate', '1.5M');
const losses = text('loss', '5,10').split(',').map(Number);

const line = (loss) => ['--both', `latency=${latency}ms${loss ? ` loss=${loss}%` : ''}`, '--down', `rate=${rate} queue=300ms`, '--seed', String(1 + turns)];
let turns = 0;
const exact = (value) => Math.round(value * 1_000) / 1_000;

const { watch, close } = await theatre('bench-loss');
try {
  const rows = [];
  for (const loss of losses) {
    const turnsOf = [];
    for (let run = 0; run < runs; run++) {
      console.error(`${loss} %: turn ${run + 1} of ${runs}`);
      turns += 1;
      const control = await watch(line(0), seconds * 1_000);
      const lossy = await watch(line(loss), seconds * 1_000);
      const { down, up } = lossy.line;
      turnsOf.push({
        control: freezeRatio(control), lossy: freezeRatio(lossy), lost: (100 * (down.lost + up.lost)) / (down.packets + up.packets), plis: lossy.samples.at(-1).pliCount,
        width: lossy.samples.at(-1).frameWidth,
      });
    }
    const of = (key) => turnsOf.map((turn) => turn[key]);
    const excess = turnsOf.map((turn) => turn.lossy - turn.control);
    rows.push(
      { name: `loss.${loss}.excess`, value: exact(median(excess)), unit: '%', aim: AIMS[loss], gate: loss in AIMS },
      { name: `loss.${loss}.excess.worst`, value: exact(Math.max(...excess)), unit: '%' },
      { name: `loss.${loss}.freeze_ratio`, value: exact(median(of('lossy'))), unit: '%' },
      { name: `loss.${loss}.control`, value: exact(median(of('control'))), unit: '%' },
      { name: `loss.${loss}.lost`, value: exact(median(of('lost'))), unit: '%' },
      { name: `loss.${loss}.plis`, value: median(of('plis')), unit: 'PLIs' },
      { name: `loss.${loss}.width`, value: median(of('width')), unit: 'px' },
    );
  }
  print(rows, `Chromium, ${PICTURE}, line of ${rate}bit/s, round trip ${2 * latency} ms, queue 300 ms, loss both ways, ${runs} turns of ${seconds} s beside as many without loss, ${machine()}`);
} finally {
  await close();
}
