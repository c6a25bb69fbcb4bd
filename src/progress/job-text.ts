import { types } from 'node:util';

/**
 * A job in a few words, for one line of a display. A job can be anything that can be sent, so nothing of it is called
 * or walked through further than is shown.
 */

/** Characters of a text that are looked at; a line is cut to the terminal's width later. */
const LONGEST = 200;
const SHOWN_FIELDS = 4;
const SHOWN_ELEMENTS = 3;

/** @returns one line without control characters; `job 17` for what can't be read or says nothing */
export function jobText(job: unknown, index: number): string {
  const fallback = `job ${index}`;
  try {
    return plain(typeof job === 'string' ? short(job) : value(job, 0)) || fallback;
  } catch {
    // A proxy or an exotic object that refuses to be read: its place in the list names it as well.
    return fallback;
  }
}

/** Control characters, and what would turn the direction of the line around, become spaces. */
function plain(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
}

function short(text: string): string {
  const half = LONGEST / 2;
  return text.length > LONGEST ? `${text.slice(0, half)}…${text.slice(-half)}` : text;
}

function value(given: unknown, depth: number): string {
  if (typeof given === 'string') return `'${short(given)}'`;
  if (typeof given === 'bigint') return `${given}n`;
  if (typeof given !== 'object' || given === null) return String(given);
  if (types.isDate(given)) return Number.isNaN(Number(given)) ? 'Invalid Date' : given.toISOString();
  if (ArrayBuffer.isView(given)) return `${given.constructor.name} of ${given.byteLength} bytes`;
  if (types.isAnyArrayBuffer(given)) return `${given.byteLength} bytes`;
  if (types.isMap(given)) return `Map of ${given.size}`;
  if (types.isSet(given)) return `Set of ${given.size}`;
  if (types.isNativeError(given)) return short(String(given.message));
  return Array.isArray(given) ? list(given, depth) : fields(given, depth);
}

function list(array: readonly unknown[], depth: number): string {
  if (depth > 0) return array.length === 0 ? '[]' : `[${array.length}]`;
  const shown = array.slice(0, SHOWN_ELEMENTS).map((element) => value(element, depth + 1));
  const more = array.length - shown.length;
  return `[${shown.join(', ')}${more > 0 ? `, … ${more} more` : ''}]`;
}

function fields(object: object, depth: number): string {
  if (depth > 0) return '{…}';
  const shown: string[] = [];
  for (const name in object) {
    if (shown.length === SHOWN_FIELDS) {
      shown.push('…');
      break;
    }
    // Not through the object, whose getters are the user's code.
    const field = Object.getOwnPropertyDescriptor(object, name);
    if (field === undefined) continue;
    shown.push(`${short(name)}: ${'value' in field ? value(field.value, depth + 1) : '…'}`);
  }
  return shown.length === 0 ? '{}' : `{ ${shown.join(', ')} }`;
}
