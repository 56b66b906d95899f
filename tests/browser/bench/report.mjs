// How benchmarks report: rows in the one form that all share (docs/benchmarks.md), as a table for people or JSON lines.
import { cpus, loadavg } from 'node:os';

export const asJson = process.argv.includes('--json');

/** `--name=4` or the fallback. */
export function numberOption(name, fallback) {
  const given = process.argv.find((argument) => argument.startsWith(`--${name}=`));
  const value = given ? Number(given.slice(name.length + 3)) : fallback;
  if (!Number.isFinite(value) || value <= 0) throw new Error(`--${name} needs a positive number`);
  return value;
}

/** The value below which `share` of the sorted values lie. */
export function quantile(sorted, share) {
  return sorted.length === 0 ? NaN : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

export function machine() {
  const [first] = cpus();
  return `${cpus().length} x ${first?.model.trim() ?? 'unknown CPU'}, load ${loadavg()[0].toFixed(1)}`;
}

/** `aim`: at most this, or with `atLeast` at least; absent where a row only informs. `gate`: the aim must be met. What was not measured (not
 * a number) is not met. Sets the exit code when a gate is missed. */
export function print(rows, conditions) {
  for (const { name, value, unit, aim = null, gate = false, atLeast = false } of rows) {
    const met = aim === null ? null : atLeast ? value >= aim : value <= aim;
    if (gate && !met) process.exitCode = 1;
    if (asJson) console.log(JSON.stringify({ name, value, unit, aim, met, gate, conditions }));
    else console.log(`${name.padEnd(26)} ${String(value).padStart(8)} ${unit.padEnd(7)} ${aim === null ? '' : `${gate ? 'gate' : 'aim'} ${aim}: ${met ? 'met' : 'MISSED'}`}`);
  }
  if (!asJson) console.log(conditions);
}

/** The middle of the values, in any order. */
export const median = (values) => quantile(values.toSorted((a, b) => a - b), 0.5);

export const rounded = (value) => Math.round(value * 10) / 10;

/** Runs `body` so often; what fails is said, cleared away and left out, and missing in the count of samples. */
export async function often(times, name, body, clear = async () => undefined) {
  const found = [];
  for (let time = 0; time < times; time++) {
    try {
      found.push(await body());
    } catch (thrown) {
      console.error(`${name}, ${time + 1}: ${thrown.message.split('\n')[0]}`);
      await clear();
    }
  }
  return found;
}
