// Holds the golden messages of the protocol (`tests/golden/signaling/`) against the generated types: the compiler reads each message as a
// literal of its type, so a field that is missing, wrong or too many is an error, and so is a type without a message.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const folder = here('../node_modules/.cache/golden/');
const SIDES = [['client', 'ClientMessage'], ['server', 'ServerMessage']];

const literals = SIDES.map(([side, type]) => {
  const golden = here(`../../tests/golden/signaling/${side}/`);
  const rows = readdirSync(golden).map((file) => `  ${file.replace('.json', '')}: ${readFileSync(golden + file, 'utf8').trim()},`);
  return `export const ${side}: { [K in ${type}['type']]: Extract<${type}, { type: K }> } = {\n${rows.join('\n')}\n};\n`;
});
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}golden.ts`, `import type { ClientMessage, ServerMessage } from '../../../src/protocol';\n${literals.join('')}`);
writeFileSync(`${folder}tsconfig.json`, JSON.stringify({ extends: '../../../tsconfig.json', include: [], files: ['golden.ts'] }));
try {
  execFileSync(here('../node_modules/.bin/tsc'), ['--project', folder], { stdio: 'inherit' });
} catch {
  console.error('The golden messages and src/protocol.ts disagree.');
  process.exit(1);
}
