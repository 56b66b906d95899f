// What a broadcast's HLS is made of, without a player: renditions are kept as they are published and decoded, so that each picture and each moment
// of sound has its place on the broadcast's line. Nothing here depends on how busy the machine is.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import './barcode.js';

const RATE_HZ = 48_000;
/** How often playlists are read: they list ten seconds and more. */
const READ_EVERY_MS = 1_000;
/** Pixels that one cell of the barcode becomes; its middle 2 x 2 are averaged. */
const SCALE = 4;
/** The barcode's grid, and where on it the code is: see `barcode.js`. */
const [COLUMNS, ROWS, FIRST_COLUMN, CELLS] = [64, 36, 15, 34];
const CONTRAST_MIN = 60;
/** A tone's level is that of so much sound, looked at so often. */
const [WINDOW, STEP] = [480, 96];

const bytesOf = async (url) => {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: HTTP ${answer.status}`);
  return Buffer.from(await answer.arrayBuffer());
};

/** What `ffmpeg` writes, and what its filters say. */
const ffmpeg = (args) => new Promise((resolve, reject) => {
  const child = spawn('ffmpeg', ['-hide_banner', '-nostdin', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, said] = [[], []];
  child.stdout.on('data', (piece) => out.push(piece));
  child.stderr.on('data', (piece) => said.push(piece));
  child.once('error', reject);
  child.once('close', (code) => {
    const words = Buffer.concat(said).toString();
    if (code === 0) resolve({ bytes: Buffer.concat(out), words });
    else reject(new Error(`ffmpeg ended with ${code}: ${words.slice(-2_000)}`));
  });
});

/** The counter in a grey picture of the grid's size, or `null`. */
const counterOf = (image) => {
  const width = COLUMNS * SCALE;
  const brightness = (cell) => {
    let sum = 0;
    for (const y of [1, 2]) for (const x of [1, 2]) sum += image[((ROWS - 1) * SCALE + y) * width + (FIRST_COLUMN + cell) * SCALE + x];
    return sum / 4;
  };
  const [white, black] = [brightness(0), brightness(1)];
  if (white < black + CONTRAST_MIN) return null;
  let bits = '';
  for (let cell = 2; cell < CELLS; cell++) bits += brightness(cell) > (white + black) / 2 ? '1' : '0';
  const counter = Number.parseInt(bits.slice(0, 24), 2);
  return globalThis.barcode.checksum(counter) === Number.parseInt(bits.slice(24), 2) ? counter : null;
};

/** The level (0 to 1) of one tone in `samples` from `from` on, by Goertzel's recurrence under a Hann window. */
const levelOf = (samples, from, hz) => {
  const turn = 2 * Math.cos((2 * Math.PI * hz) / RATE_HZ);
  let [before, last] = [0, 0];
  for (let index = 0; index < WINDOW; index++) {
    const weight = 1 - Math.cos((2 * Math.PI * index) / WINDOW);
    [before, last] = [last, samples[from + index] * weight + turn * last - before];
  }
  return (2 * Math.sqrt(last * last + before * before - turn * last * before)) / WINDOW;
};

/** One rendition, kept from when it is first read. */
export class Rendition {
  #url;
  #stretches = [];
  #seen = new Set();

  /** `url`: its media playlist. */
  constructor(url) {
    this.#url = url;
  }

  /** Takes the segments that are whole and new. */
  async read() {
    let map = null;
    for (const line of (await bytesOf(this.#url)).toString().split('\n')) {
      const named = /^#EXT-X-MAP:URI="([^"]+)"/.exec(line)?.[1];
      if (named) map = new URL(named, this.#url).href;
      if (!line || line.startsWith('#') || this.#seen.has(line)) continue;
      this.#seen.add(line);
      if (this.#stretches.at(-1)?.map !== map) this.#stretches.push({ map, init: await bytesOf(map), segments: [] });
      this.#stretches.at(-1).segments.push(await bytesOf(new URL(line, this.#url)));
    }
  }

  /** Every picture: `at`, ms on the line, and its counter. */
  pictures() {
    const filter = `showinfo,scale=${COLUMNS * SCALE}:${ROWS * SCALE}:flags=area,format=gray`;
    return this.#decoded(['-vf', filter, '-fps_mode', 'passthrough', '-f', 'rawvideo', 'pipe:1'], ({ bytes, words }) => {
      const times = [...words.matchAll(/showinfo.* pts_time:\s*([\d.]+)/g)].map(([, seconds]) => Number(seconds) * 1_000);
      const size = COLUMNS * ROWS * SCALE ** 2;
      if (bytes.length !== times.length * size) throw new Error(`${times.length} times of ${bytes.length / size} pictures`);
      return times.map((at, index) => ({ at, counter: counterOf(bytes.subarray(index * size, (index + 1) * size)) }));
    });
  }

  /** The level of each tone all along: `at`, ms on the line, is the middle of what was heard. */
  async tones(wanted) {
    const frames = await this.#decoded(['-af', 'aresample=async=0,aformat=sample_fmts=flt:channel_layouts=mono,ashowinfo', '-f', 'f32le', 'pipe:1'], ({ bytes, words }) => {
      let from = 0;
      return [...words.matchAll(/ashowinfo.* pts_time:\s*([\d.]+).* rate:(\d+) nb_samples:(\d+)/g)].map(([, seconds, rate, count]) => {
        if (Number(rate) !== RATE_HZ) throw new Error(`a rate of ${rate}`);
        const samples = Float32Array.from({ length: Number(count) }, (_, index) => bytes.readFloatLE((from + index) * 4));
        from += samples.length;
        return { at: Number(seconds) * 1_000, samples };
      });
    });
    const found = [];
    let [holes, end] = [[], null];
    // Sound that goes on without a hole is one.
    let whole = [];
    const listen = () => {
      if (whole.length === 0) return;
      const samples = Float32Array.from(whole.flatMap((frame) => [...frame.samples]));
      for (let from = 0; from + WINDOW <= samples.length; from += STEP) {
        found.push({ at: whole[0].at + ((from + WINDOW / 2) * 1_000) / RATE_HZ, levels: wanted.map((hz) => levelOf(samples, from, hz)) });
      }
      whole = [];
    };
    for (const frame of frames) {
      if (end !== null && Math.abs(frame.at - end) > 1) {
        holes.push({ at: end, ms: frame.at - end });
        listen();
      }
      whole.push(frame);
      end = frame.at + (frame.samples.length * 1_000) / RATE_HZ;
    }
    listen();
    return { levels: found, holes };
  }

  async #decoded(args, take) {
    const folder = mkdtempSync(join(tmpdir(), 'courtside-segments-'));
    const all = [];
    try {
      for (const { init, segments } of this.#stretches) {
        const file = join(folder, 'rendition.mp4');
        writeFileSync(file, Buffer.concat([init, ...segments]));
        all.push(...take(await ffmpeg(['-copyts', '-i', file, ...args])));
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return all;
  }
}

/** Keeps renditions of `base` (`/hls/{broadcast}`) until it is told to stop. */
export function keep(base, names) {
  const renditions = names.map((name) => new Rendition(`${base}/${name}/live.m3u8`));
  let isWanted = true;
  const reading = (async () => {
    while (isWanted) {
      await Promise.all(renditions.map((rendition) => rendition.read()));
      await pause(READ_EVERY_MS);
    }
    await Promise.all(renditions.map((rendition) => rendition.read()));
  })();
  // Whoever stops it hears of it.
  reading.catch(() => undefined);
  const stop = () => {
    isWanted = false;
    return reading;
  };
  return { renditions, stop };
}
