import type { Ran } from './script.js';

/**
 * Many small cases that share a process: each says what it came to under its name, and each test looks at its own.
 */

/** Defines `say(name, value)` in a script. */
export const SAY = 'const say = (name, x) => console.log(JSON.stringify([name, x]));\n';

/** How a CommonJS module of cases begins: the class, and `say(name, value)`. */
export const CJS = `const ThreadFactory = require('threadfactory');\n${SAY}`;

/** The same for an ES module. */
export const ESM = `import ThreadFactory from 'threadfactory';\n${SAY}`;

/** All that was said under a name, in order: what a worker said besides is seen, too. */
export function saidAs(ran: Ran, name: string): unknown[] {
  return (ran.said as [string, unknown][]).filter(([said]) => said === name).map(([, value]) => value);
}
