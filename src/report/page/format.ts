import type { JobName } from '../data.js';

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const PRECISE = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

/** A count: `1,234`. */
export function count(value: number): string {
  return WHOLE.format(value);
}

/** A count with its noun: `1 job`, `1,234 jobs`. */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

/** Three digits: `0.0123`, `1.23`, `1,234`. */
export function precise(value: number): string {
  return value >= 1000 ? WHOLE.format(value) : PRECISE.format(value);
}

/** `42 %`, with a decimal where it would say nothing otherwise. */
export function percent(share: number): string {
  const value = share * 100;
  if (value > 0 && value < 0.1) return '<\u00a00.1\u00a0%';
  const isExtreme = (value > 0 && value < 10) || (value > 99 && value < 100);
  return `${isExtreme ? value.toFixed(1) : Math.round(value)}\u00a0%`;
}

/** Milliseconds for people: `23 µs`, `4.56 ms`, `1.2 s`, `3 min 05 s`, `2 h 07 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms <= 0) return '0\u00a0s';
  if (ms < 0.9995) return `${PRECISE.format(ms * 1000)}\u00a0µs`;
  if (ms < 999.5) return `${PRECISE.format(ms)}\u00a0ms`;
  if (ms < 59_950) return `${PRECISE.format(ms / 1000)}\u00a0s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return parts(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return parts(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(minutes / 60);
  return parts(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function parts(large: number, unit: string, small: number, smallUnit: string): string {
  if (small === 0) return `${large}\u00a0${unit}`;
  return `${large}\u00a0${unit}\u00a0${unit === 'd' ? small : String(small).padStart(2, '0')}\u00a0${smallUnit}`;
}

const DATE = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

/** The day, without its year. */
export function day(epoch: number): string {
  return DAY.format(epoch);
}

/** The time of the day, as fine as `unit` milliseconds ask for: `14:05`, `14:05:09`, `14:05:09.250`. */
export function clock(epoch: number, unit: number): string {
  const date = new Date(epoch);
  const two = (value: number): string => String(value).padStart(2, '0');
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (unit >= 60_000) return minutes;
  const seconds = `${minutes}:${two(date.getSeconds())}`;
  return unit >= 1000 ? seconds : `${seconds}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** Day and time of the day, to the second. */
export function moment(epoch: number): string {
  return `${DATE.format(epoch)}, ${clock(epoch, 1000)}`;
}

/** A job by its key, or its position in the list. */
export function jobName({ index, key }: JobName): string {
  return key === undefined || key === '' ? `job ${index}` : key;
}
