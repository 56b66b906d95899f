// Watching in Chromium while the line narrows and widens again: 3 -> 0.6 -> 3 Mbit/s with a queue of 300 ms.
//
//   step.mjs [--json] [--runs=5] [--steady=60] [--narrow=30] [--plot=FILE]
//
// --steady: seconds on the wide line before and after, --narrow: on the narrow one. --plot: the samples of all turns, as JSON.
import { writeFileSync } from 'node:fs';
import { longestGap, PICTURE, switches, theatre, TOP_WIDTH } from './play.mjs';
import { machine, median, numberOption, print, rounded } from './report.mjs';

const runs = numberOption('runs', 5);
const steady = numberOption('steady', 60) * 1_000;
const narrow = numberOption('narrow', 30) * 1_000;
const plot = process.argv.find((argument) => argument.startsWith('--plot='))?.slice(7) ?? null;
/** From the relay's start to the step: joining takes part of it. */
const BEFORE = steady + 15_000;
/** A change of the line and what follows from it is over by then: what switches later does so without reason. */
const SETTLED = 12_000;
const FULL = 'rate=3M';

const line = ['--both', 'latency=20ms', '--down', `${FULL} queue=300ms`, '--step', `at=${BEFORE}ms down rate=600k`, '--step', `at=${BEFORE + narrow}ms down ${FULL}`];

/** Milliseconds from a moment to the first sample for which it holds; as long as was looked when it never did. */
function until(samples, from, to, holds) {
  const found = samples.find((sample) => sample.at >= from && sample.at <= to && holds(sample));
  return (found?.at ?? to) - from;
}

const { watch, close } = await theatre('bench-step');
try {
  const turns = [];
  for (let run = 0; run < runs; run++) {
    console.error(`turn ${run + 1} of ${runs}`);
    const { samples, shown, relayStarted, line: counts } = await watch(line, BEFORE + narrow + steady, 1_000);
    const [down, up, end] = [relayStarted + BEFORE, relayStarted + BEFORE + narrow, samples.at(-1).at];
    const onTop = ({ frameWidth }) => frameWidth === TOP_WIDTH;
    const stretches = [[samples[0].at + SETTLED, down], [down + SETTLED, up], [up + SETTLED, end]].filter(([from, to]) => to > from);
    const minutes = stretches.reduce((sum, [from, to]) => sum + to - from, 0) / 60_000;
    turns.push({
      wasOnTop: samples.filter(({ at }) => at < down).at(-1)?.frameWidth === TOP_WIDTH,
      lower: until(samples, down, up, (sample) => !onTop(sample)) / 1_000,
      freeze: longestGap(shown, down - 500, Math.min(end, up + SETTLED)) / 1_000,
      back: until(samples, up, end, onTop) / 1_000,
      perMinute: stretches.reduce((sum, [from, to]) => sum + switches(samples, from, to), 0) / minutes,
      overflowed: counts.down.overflowed,
      samples: samples.map(({ at, frameWidth, bytesReceived }) => ({ s: (at - down) / 1_000, width: frameWidth, bytes: bytesReceived })),
    });
  }
  if (plot) writeFileSync(plot, JSON.stringify({ narrow: narrow / 1_000, turns: turns.map(({ samples }) => samples) }));
  const of = (key) => turns.map((turn) => turn[key]);
  print([
    // Without the top layer before the step there was nothing to switch.
    { name: 'step.not_on_top_before', value: turns.filter(({ wasOnTop }) => !wasOnTop).length, unit: 'turns', aim: 0, gate: true },
    { name: 'step.lower_layer.worst', value: rounded(Math.max(...of('lower'))), unit: 's', aim: 2, gate: true },
    { name: 'step.lower_layer.median', value: rounded(median(of('lower'))), unit: 's' },
    { name: 'step.longest_freeze', value: rounded(Math.max(...of('freeze'))), unit: 's', aim: 1, gate: true },
    { name: 'step.top_layer.median', value: rounded(median(of('back'))), unit: 's', aim: 5, gate: true },
    { name: 'step.top_layer.worst', value: rounded(Math.max(...of('back'))), unit: 's', aim: 10, gate: true },
    { name: 'step.switches_per_minute', value: rounded(Math.max(...of('perMinute'))), unit: '1/min', aim: 2, gate: true },
    { name: 'step.overflowed', value: median(of('overflowed')), unit: 'packets' },
  ], `Chromium, ${PICTURE}, line of 3, 0.6 and 3 Mbit/s, round trip 40 ms, queue 300 ms, ${narrow / 1_000} s narrow, ${runs} turns, ${machine()}`);
} finally {
  await close();
}
