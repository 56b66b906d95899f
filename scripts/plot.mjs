// Draws what benchmarks found as SVG, without anything but this file.
//
//   plot.mjs FOLDER
//
// Reads FOLDER/*.jsonl (rows as docs/benchmarks.md describes them) into summary.svg: each row with an aim, as a share of it. Reads what
// `--plot` of step, fairness and soak left (FOLDER/NAME.plot.json) into NAME.svg: a line each over time.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
if (!folder) throw new Error('plot.mjs FOLDER');
const COLOURS = ['#2f6fd0', '#d5362c', '#2f8f4e', '#8a4fd0', '#c77a00', '#0f8f95', '#b03a7a', '#5c6670'];
const WIDTH = 860;

const escaped = (text) => String(text).replace(/[&<>]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign]);
const label = (x, y, text, more = '') => `<text x="${x}" y="${y}" ${more}>${escaped(text)}</text>`;
const page = (height, body) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="#222"><rect width="100%" height="100%" fill="#fff"/>${body.join('')}</svg>\n`;

/** A round step that cuts a span into about five. */
function step(span) {
  const rough = (span || 1) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
}

/** `lines`: `{ name, points: [[x, y]] }`. */
function chart(title, xName, yName, lines, height = 320) {
  const points = lines.flatMap((line) => line.points);
  const [left, right, top, bottom] = [60, WIDTH - 150, 40, height - 40];
  const [minX, maxX] = [Math.min(...points.map(([x]) => x)), Math.max(...points.map(([x]) => x))];
  const maxY = Math.max(...points.map(([, y]) => y), 1e-9) * 1.05;
  const x = (value) => left + ((value - minX) / (maxX - minX || 1)) * (right - left);
  const y = (value) => bottom - (value / maxY) * (bottom - top);
  const body = [label(left, 22, title, 'font-size="15"'), label((left + right) / 2, height - 8, xName), label(8, top - 8, yName)];
  for (let at = 0; at <= maxY; at += step(maxY)) {
    body.push(`<path d="M${left} ${y(at).toFixed(1)}H${right}" stroke="#ddd"/>`, label(left - 8, y(at) + 4, Number(at.toPrecision(4)), 'text-anchor="end"'));
  }
  for (let at = Math.ceil(minX / step(maxX - minX)) * step(maxX - minX); at <= maxX; at += step(maxX - minX)) {
    body.push(label(x(at), bottom + 16, Number(at.toPrecision(4)), 'text-anchor="middle"'));
  }
  lines.forEach((line, index) => {
    const colour = COLOURS[index % COLOURS.length];
    const path = line.points.map(([px, py]) => `${x(px).toFixed(1)} ${y(py).toFixed(1)}`).join('L');
    body.push(`<path d="M${path}" fill="none" stroke="${colour}" stroke-width="1.3"/>`, label(right + 12, top + 10 + 16 * index, line.name, `fill="${colour}"`));
  });
  return page(height, body);
}

/** Every row that has an aim: how much of it was used up. */
function summary(rows) {
  const judged = rows.filter(({ aim, value }) => aim !== null && Number.isFinite(value));
  const [left, unit, line] = [300, 300, 20];
  const body = [label(20, 24, 'What was found, as a share of the aim (the line); red: missed', 'font-size="15"')];
  judged.forEach(({ name, value, unit: of, aim, met, gate }, index) => {
    const y = 44 + index * line;
    const share = aim === 0 ? (value === 0 ? 0 : 1.5) : value / aim;
    const long = Math.max(2, Math.min(share, 1.6) * unit);
    body.push(
      label(left - 8, y + 12, name, `text-anchor="end"${gate ? ' font-weight="bold"' : ''}`),
      `<rect x="${left}" y="${y + 2}" width="${long.toFixed(1)}" height="${line - 6}" fill="${met ? COLOURS[2] : COLOURS[1]}"/>`,
      label(left + long + 6, y + 12, `${value} ${of} (aim ${aim})`),
    );
  });
  const height = 60 + judged.length * line;
  body.push(`<path d="M${left + unit} 36V${height - 16}" stroke="#222" stroke-dasharray="4 3"/>`);
  return page(height, body);
}

const files = readdirSync(folder);
const rows = files.filter((file) => file.endsWith('.jsonl')).toSorted().flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line)));
if (rows.length > 0) writeFileSync(join(folder, 'summary.svg'), summary(rows));

const drawings = {
  step: ({ turns, narrow }) => chart(`Width of the picture; the line is narrow from 0 to ${narrow} s`, 's', 'px', turns.map((samples, turn) => ({ name: `turn ${turn + 1}`, points: samples.map(({ s, width }) => [s, width]) }))),
  fairness: ({ seats, window_ms: ms }) => chart('What each of the viewers behind one bottleneck received', 's', 'Mbit/s', seats.map((rates, seat) => ({ name: `viewer ${seat + 1}`, points: rates.map((rate, at) => [(at * ms) / 1_000, rate / 1e6]) }))),
  soak: ({ memory }) => chart('Memory of the server while viewers come and go', 's', 'MiB', [{ name: 'resident', points: memory.map(([at, kib]) => [at, kib / 1_024]) }]),
};
for (const [name, draw] of Object.entries(drawings)) {
  if (files.includes(`${name}.plot.json`)) writeFileSync(join(folder, `${name}.svg`), draw(JSON.parse(readFileSync(join(folder, `${name}.plot.json`), 'utf8'))));
}
