// When something was written, as short as it can be told. Pure but for the reader's time zone and language of numbers.
import { friendsWords } from '../friends_words';
import { formatTime } from '../ui/format';

const DAY_MS = 86_400_000;
const weekday = new Intl.DateTimeFormat('en', { weekday: 'short' });
const date = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' });
const longDate = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'long', year: 'numeric' });

/** Midnights between the two. */
function daysBetween(ms: number, nowMs: number): number {
  const midnight = (at: number): number => { const day = new Date(at); day.setHours(0, 0, 0, 0); return day.getTime(); };
  return Math.round((midnight(nowMs) - midnight(ms)) / DAY_MS);
}

/** "20:14" today, "Sat" within a week, "3 Mar" before. */
export function shortTime(ms: number, nowMs: number): string {
  const days = daysBetween(ms, nowMs);
  if (days <= 0) return formatTime(ms);
  return days < 7 ? weekday.format(ms) : date.format(ms);
}

/** A heading over a day: "Today", "Yesterday", "March 3, 2026". */
export function dayName(ms: number, nowMs: number): string {
  const days = daysBetween(ms, nowMs);
  if (days <= 0) return friendsWords.write.today;
  return days === 1 ? friendsWords.write.yesterday : longDate.format(ms);
}
