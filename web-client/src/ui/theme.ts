// Dark or light: what the system asks for, unless the visitor chose.
import { computed, effect, signal } from '@preact/signals';
import { recall, remember } from './remember';

export type Theme = 'dark' | 'light';

const chosen = signal<Theme | null>(recall('theme', null));
const system = signal<Theme>('dark');

export const theme = computed<Theme>(() => chosen.value ?? system.value);

/** Keeps the document in step with the choice and the system until `until` aborts. */
export function startTheme(until: AbortSignal): void {
  const query = matchMedia('(prefers-color-scheme: light)');
  const read = () => { system.value = query.matches ? 'light' : 'dark'; };
  read();
  query.addEventListener('change', read, { signal: until });
  const stop = effect(() => {
    if (chosen.value) document.documentElement.dataset['theme'] = chosen.value;
    else delete document.documentElement.dataset['theme'];
  });
  until.addEventListener('abort', stop);
}

/** Changes to the other theme. Choosing what the system asks for anyway follows the system again. */
export function toggleTheme(): void {
  const next: Theme = theme.value === 'dark' ? 'light' : 'dark';
  chosen.value = next === system.value ? null : next;
  remember('theme', chosen.value);
}
