// Whether the friends' panel is open over the place. Its looks come on demand.
import { signal } from '@preact/signals';

export const friendsPanel = signal<'closed' | 'open'>('closed');
