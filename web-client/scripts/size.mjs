// Fails when the first load of any place weighs more than the budget: HTML, scripts and styles, gzipped; no fonts, no images.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const BUDGET = 90 * 1024;
/** What comes later, to those who need it, has a budget of its own: hls.js, with the sound as a rendition of its own and captions. */
const LATER = { 'src/playback/hls_js.ts': 185 * 1024 };
const dist = new URL('../dist/', import.meta.url);
const weigh = (file) => gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length;
const manifest = JSON.parse(readFileSync(new URL('manifest.json', dist), 'utf8'));

/** Files that loading `key` brings with it, dynamic imports left out. */
function closure(key, files = new Set()) {
  const chunk = manifest[key];
  files.add(chunk.file);
  for (const css of chunk.css ?? []) files.add(css);
  for (const next of chunk.imports ?? []) if (!files.has(manifest[next].file)) closure(next, files);
  return files;
}

const entry = 'index.html';
const places = [entry, ...(manifest[entry].dynamicImports ?? [])];
let failed = false;
for (const place of places) {
  const files = closure(place, closure(entry));
  const bytes = [...files].reduce((sum, file) => sum + weigh(file), weigh('index.html'));
  failed ||= bytes > BUDGET;
  console.log(`${(bytes / 1024).toFixed(1).padStart(6)} KB  ${place}${bytes > BUDGET ? `  over ${BUDGET / 1024} KB` : ''}`);
}
for (const [key, budget] of Object.entries(LATER)) {
  const bytes = weigh(manifest[key].file);
  failed ||= bytes > budget;
  console.log(`${(bytes / 1024).toFixed(1).padStart(6)} KB  ${key}, later${bytes > budget ? `  over ${budget / 1024} KB` : ''}`);
}
process.exit(failed ? 1 : 0);
