// Words of the seek bar and of what plays the past, for the parts that are loaded when a match can be rewound.
import type { MarkerKind } from './protocol';

const counted = (count: number, one: string) => `${count} ${one}${count === 1 ? '' : 's'}`;

/** "1 hour 2 minutes", "2 minutes 10 seconds": the two largest parts, as they are said. */
export function spokenLength(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const parts = [hours > 0 && counted(hours, 'hour'), minutes > 0 && counted(minutes, 'minute'), hours === 0 && (rest > 0 || minutes === 0) && counted(rest, 'second')];
  return parts.filter((part) => part !== false).join(' ');
}

const KINDS: Record<MarkerKind, string> = { goal: 'Goal', card: 'Card', chance: 'Chance', period: 'Period', other: 'Moment' };

export const rewindWords = {
  bar: 'Time in the match',
  live: 'live',
  behind: (ms: number) => `${spokenLength(ms)} behind live`,
  ofReplay: (atMs: number, lengthMs: number) => `${spokenLength(atMs)} of ${spokenLength(lengthMs)}`,
  back: 'Back 10 s',
  moment: (kind: MarkerKind, label: string) => (label.trim() ? `${KINDS[kind]}: ${label}` : KINDS[kind]),
  playMoment: (name: string, time: string) => `Play ${name}, ${time}`,
  lost: 'That moment didn’t load',
  lostLine: 'Try it again, or another one.',
  speed: 'Speed',
  speeds: (speed: number) => `${speed}×`,
  normal: 'as it happened',
  backToQuality: 'Back to quality',
};
