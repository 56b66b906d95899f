// Build of the web client: one entry, places loaded on demand, everything embedded in the server binary from `dist/`.
import { defineConfig } from 'vite';

// During `npm run dev` the pages come from Vite and everything else from a running `courtside serve`.
const server = process.env['COURTSIDE_SERVER'] ?? 'http://127.0.0.1:8080';
const proxied = Object.fromEntries(['/v1', '/api', '/whip', '/whep'].map((path) => [path, { target: server, ws: path === '/v1' }]));

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  server: { proxy: proxied },
  build: {
    target: 'es2022',
    // `scripts/size.mjs` reads it to know what a first visit loads.
    manifest: 'manifest.json',
    // Fonts and images stay files: the server gives them year-long cache headers.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
} as Parameters<typeof defineConfig>[0]);
