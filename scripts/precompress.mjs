// Writes FILE.br and FILE.gz beside every text file of a built web client, where that is at least a tenth smaller.
// Usage: node scripts/precompress.mjs DIR
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const PACKABLE = new Set(['.html', '.js', '.css', '.svg', '.json', '.webmanifest', '.txt', '.map']);
const root = process.argv[2];
if (!root) throw new Error('which folder?');

for (const name of readdirSync(root, { recursive: true })) {
  const path = join(root, name);
  if (!statSync(path).isFile() || !PACKABLE.has(extname(path))) continue;
  const bytes = readFileSync(path);
  const packed = {
    br: brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
    gz: gzipSync(bytes, { level: 9 }),
  };
  for (const [suffix, body] of Object.entries(packed)) {
    if (body.length < bytes.length * 0.9) writeFileSync(`${path}.${suffix}`, body);
  }
}
